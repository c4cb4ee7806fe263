// What is true against what was said, as a table whose cells are the darker the more of the truth they hold.
export default {
  props: { names: Array, seconds: Array, title: String },
  template: `
  <figure class="kj-confusion">
    <figcaption>{{ title }}: true by row, recognised by column; share of the true time, in per cent</figcaption>
    <div class="kj-scroll" tabindex="0" role="region" :aria-label="'Confusion of ' + title">
      <table>
        <thead><tr><th scope="col">true</th><th v-for="name in names" scope="col" class="kj-turned"><span>{{ name }}</span></th><th scope="col">time</th></tr></thead>
        <tbody>
          <tr v-for="i in rows" :key="i">
            <th scope="row">{{ names[i] }}</th>
            <td v-for="(name, j) in names" :key="j" :class="{ 'kj-right': i === j }" :style="look(i, j)" :title="names[i] + ' called ' + name + ': ' + seconds[i][j].toFixed(1) + ' s'">{{ share(i, j) >= 0.005 ? Math.round(share(i, j) * 100) : '' }}</td>
            <td class="kj-soft">{{ sum(i).toFixed(0) }} s</td>
          </tr>
        </tbody>
      </table>
    </div>
  </figure>`,
  computed: { rows() { return this.names.map((_, i) => i).filter((i) => this.sum(i) > 0); } },
  methods: {
    sum(i) { return this.seconds[i].reduce((total, value) => total + value, 0); },
    share(i, j) { return this.seconds[i][j] / (this.sum(i) || 1); },
    look(i, j) {
      const share = this.share(i, j);
      // blue is right, orange is wrong; the text is white where the cell is strong
      const [r, g, b] = i === j ? [11, 87, 164] : [168, 66, 0];
      if (share < 0.005) return {};
      return share >= 0.55 ? { background: `rgb(${r},${g},${b})`, color: "#ffffff" } : { background: `rgba(${r},${g},${b},${0.08 + share * 0.4})` };
    },
  },
};
