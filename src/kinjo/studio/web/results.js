// Figures in a table, each with its interval and its baselines as a bar. Of two results the difference too.
const WIDE = 200;

export default {
  props: { rows: Array, first: String, second: String },
  template: `
  <div class="kj-results">
    <label v-if="rows.length > 8" class="kj-filter">Show rows with <input type="search" v-model="asked" aria-label="Show rows with"></label>
    <p class="kj-soft" role="status" v-if="asked">{{ shown.length }} of {{ rows.length }} rows</p>
    <table>
      <thead><tr>
        <th scope="col">Figure</th><th scope="col">{{ second ? 'Both, with intervals' : based ? 'Interval and baselines' : 'Interval' }}</th>
        <th scope="col">{{ second ? first : 'Value' }}</th><th v-if="second || based" scope="col">{{ second || 'Baselines' }}</th><th v-if="second" scope="col">Difference</th>
      </tr></thead>
      <tbody>
        <tr v-for="row in shown.slice(0, most)" :key="row.id">
          <th scope="row"><span class="kj-id">{{ row.id }}</span><span v-if="row.note" class="kj-soft">, {{ row.note }}</span>
            <details v-if="row.protocol || row.trained_on" class="kj-soft"><summary>how</summary>
              {{ row.protocol }}<span v-if="row.trained_on">; trained on {{ row.trained_on }}</span><span v-if="row.seeds">; seeds {{ row.seeds }}</span><span v-if="row.date">; {{ row.date }}</span>
            </details></th>
          <td class="kj-bars" data-name="Interval">
            <svg :viewBox="'0 0 ${WIDE} ' + (second ? 30 : 22)" width="${WIDE}" :height="second ? 30 : 22" role="img" :aria-label="said(row)">
              <g v-for="(one, k) in bars(row)" :key="k">
                <rect class="kj-track" x="0" :y="one.y" width="${WIDE}" height="8"></rect>
                <rect :class="'kj-fill kj-fill' + k" :x="one.from" :y="one.y" :width="one.wide" height="8"></rect>
                <path v-if="one.ci" class="kj-ci" :d="'M' + one.ci[0] + ' ' + (one.y + 4) + 'H' + one.ci[1] + 'M' + one.ci[0] + ' ' + (one.y - 1) + 'v10M' + one.ci[1] + ' ' + (one.y - 1) + 'v10'"></path>
              </g>
              <path v-for="(x, k) in ticks(row)" :key="'t' + k" class="kj-tick" :d="'M' + x + ' 2v16'"></path>
            </svg>
          </td>
          <td :data-name="second ? first : 'Value'">{{ told(row.value, row) }}<span v-if="row.ci95" class="kj-soft"> [{{ told(row.ci95[0], row) }}, {{ told(row.ci95[1], row) }}]</span></td>
          <td v-if="second" :data-name="second">{{ told(row.other, row) }}<span v-if="row.other_ci95" class="kj-soft"> [{{ told(row.other_ci95[0], row) }}, {{ told(row.other_ci95[1], row) }}]</span></td>
          <td v-else-if="based" data-name="Baselines"><div v-for="(value, name) in row.baseline || {}" :key="name">{{ name }} {{ told(value, row) }}</div><span v-if="!row.baseline" class="kj-soft">none</span></td>
          <td v-if="second" data-name="Difference"><b>{{ signed(row.difference, row) }}</b><span v-if="row.difference_ci95" class="kj-soft"> [{{ signed(row.difference_ci95[0], row) }}, {{ signed(row.difference_ci95[1], row) }}]</span><div class="kj-soft">{{ row.why }}</div></td>
        </tr>
      </tbody>
    </table>
    <button v-if="shown.length > most" type="button" class="kj-link" @click="most += 60">Show more: {{ shown.length - most }} are left</button>
  </div>`,
  data: () => ({ asked: "", most: 60 }),
  computed: {
    based() { return this.rows.some((row) => row.baseline); },
    shown() {
      const words = this.asked.toLowerCase().split(/\s+/).filter(Boolean);
      return this.rows.filter((row) => words.every((word) => `${row.id} ${row.protocol || ""} ${row.trained_on || ""}`.toLowerCase().includes(word)));
    },
  },
  watch: { rows() { this.most = 60; this.asked = ""; } },
  methods: {
    top(row) {
      const numbers = this.numbers(row), most = Math.max(...numbers, 1e-9);
      if (Math.min(...numbers, 0) < 0) return Math.max(most, -Math.min(...numbers)); // of a gain: as far either way
      return (!row.unit || row.unit === "fraction") && most <= 1 ? 1 : most;
    },
    numbers(row) {
      return [row.value, row.other, ...(row.ci95 || []), ...(row.other_ci95 || []), ...Object.values(row.baseline || {})].filter((v) => typeof v === "number");
    },
    x(value, row) {
      const low = Math.min(0, ...this.numbers(row)), top = this.top(row);
      return Math.max(0, Math.min(1, (value - low) / (top - low))) * WIDE;
    },
    bars(row) {
      const bar = (value, ci, y) => {
        const ends = [this.x(0, row), typeof value === "number" ? this.x(value, row) : this.x(0, row)].sort((a, b) => a - b);
        return { from: ends[0], wide: ends[1] - ends[0], y, ci: ci && ci.map((v) => Math.max(1, Math.min(WIDE - 1, this.x(v, row)))) };
      };
      const out = [bar(row.value, row.ci95, this.second ? 3 : 6)];
      if (this.second) out.push(bar(row.other, row.other_ci95, 18));
      return out;
    },
    ticks(row) { return this.second ? [] : Object.values(row.baseline || {}).map((v) => Math.max(1, Math.min(WIDE - 1, this.x(v, row)))); },
    told(value, row) {
      if (typeof value !== "number") return "not done";
      const text = Math.abs(value) >= 1000 ? value.toLocaleString("en", { maximumFractionDigits: 0 }) : Number.isInteger(value) && value > 1 ? String(value) : value.toFixed(3);
      return row.unit && row.unit !== "fraction" ? `${text} ${row.unit}` : text;
    },
    signed(value, row) { return typeof value !== "number" ? "none" : (value > 0 ? "+" : "") + this.told(value, row); },
    said(row) {
      const ci = row.ci95 ? `, 95 % from ${this.told(row.ci95[0], row)} to ${this.told(row.ci95[1], row)}` : ", no interval";
      const base = Object.entries(row.baseline || {}).map(([name, value]) => `, ${name} ${this.told(value, row)}`).join("");
      return `${row.id}: ${this.told(row.value, row)}${ci}${base}`;
    },
  },
};
