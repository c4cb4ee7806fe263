// A map: points on a plane, drawn on a canvas; zoom, pan, point, and go from point to point with the arrow keys.
import { LOOKS, clockOf } from "kinjo-draw";

// of one lightness, so that white rims show in both looks; beyond them shapes tell groups apart
const COLOURS = ["#1f77d0", "#d9480f", "#2b8a3e", "#9c36b5", "#b8860b", "#0c8599", "#c2255c", "#6b7280", "#5f3dc4", "#66801a"];
const SHAPES = 4;
const KEYS = "Arrow keys go from point to point, Enter opens the one that is shown, plus and minus zoom, 0 shows all.";
const PAGE = 20;

export default {
  props: { cloud: Object, by: String },
  template: `
  <div class="kj-map" ref="root">
    <div class="kj-bar" role="toolbar" aria-label="Zooming">
      <span class="kj-said" aria-live="polite">{{ said }}</span><span class="kj-room"></span>
      <button type="button" @click="zoom(0.7)" aria-label="Zoom out" title="Zoom out (−)">−</button>
      <button type="button" @click="zoom(1.4)" aria-label="Zoom in" title="Zoom in (+)">+</button>
      <button type="button" @click="all" aria-label="Show all" title="Show all (0)">All</button>
    </div>
    <div class="kj-lanes" ref="box" tabindex="0" role="application" aria-label="Map" :aria-description="help" @keydown="key">
      <canvas ref="canvas" @pointerdown="down" @pointermove="move" @pointerup="up" @pointercancel="up" @pointerleave="leave" @wheel.prevent="wheel"></canvas>
    </div>
    <ul class="kj-legend" :aria-label="'Colours: ' + by">
      <li v-for="(name, g) in groups.slice(0, 40)" :key="name">
        <button type="button" :aria-pressed="only === g" :title="only === g ? 'Show all groups' : 'Show this group alone'" @click="pick(g)">
          <svg viewBox="-8 -8 16 16" width="14" height="14" aria-hidden="true"><path :d="path(g)" :fill="colour(g)"></path></svg>
          {{ name }} <span class="kj-soft">{{ counts[g] }}</span>
        </button>
      </li>
      <li v-if="groups.length > 40" class="kj-soft">and {{ groups.length - 40 }} more groups</li>
    </ul>
    <details class="kj-table" @toggle="tabled = $event.target.open">
      <summary>The same as a table</summary>
      <div v-if="tabled" class="kj-scroll" tabindex="0" role="region" aria-label="Points">
        <table>
          <thead><tr><th scope="col">Recording</th><th scope="col">Time</th><th scope="col">Label</th><th scope="col">Modality</th><th scope="col">Subject</th><th scope="col">Nearest on the map</th></tr></thead>
          <tbody>
            <tr v-for="i in rows" :key="i">
              <td><button type="button" class="kj-link" @click="open(i)">{{ name(i, 'recording') }}</button></td>
              <td>{{ time(i) }}</td><td>{{ name(i, 'label') }}</td><td>{{ name(i, 'modality') }}</td><td>{{ name(i, 'subject') }}</td><td>{{ next(i) }}</td>
            </tr>
          </tbody>
        </table>
      </div>
      <div v-if="tabled" class="kj-bar">
        <button type="button" @click="page = Math.max(0, page - 1)" :disabled="page === 0">Before</button>
        <span class="kj-soft">{{ page * ${PAGE} + 1 }} to {{ page * ${PAGE} + rows.length }} of {{ shown.length }}</span>
        <button type="button" @click="page += 1" :disabled="(page + 1) * ${PAGE} >= shown.length">Next</button>
      </div>
    </details>
  </div>`,
  data: () => ({ said: "", help: KEYS, only: null, tabled: false, page: 0 }),
  computed: {
    groups() { return this.cloud ? this.cloud[this.by].names : []; },
    of() { return this.cloud ? this.cloud[this.by].of : []; },
    counts() {
      const out = this.groups.map(() => 0);
      for (const g of this.of) out[g] += 1;
      return out;
    },
    shown() { return this.of.map((_, i) => i).filter((i) => this.only === null || this.of[i] === this.only); },
    rows() { return this.shown.slice(this.page * PAGE, (this.page + 1) * PAGE); },
  },
  watch: {
    cloud() { this.all(); },
    by() { this.only = null; this.page = 0; this.draw(); },
  },
  mounted() {
    Object.assign(this, { at: null, scale: 1, x0: 0, y0: 0, fingers: new Map() });
    this.sized = new ResizeObserver(() => this.size());
    this.sized.observe(this.$refs.root);
    const looked = () => { this.dark = document.body.classList.contains("body--dark"); this.draw(); };
    this.darkened = new MutationObserver(looked);
    this.darkened.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    looked();
    this.said = "Point at a window; click opens it.";
  },
  unmounted() { this.sized.disconnect(); this.darkened.disconnect(); },
  methods: {
    colour(g) { return COLOURS[g % COLOURS.length]; },
    shape(g) { return Math.floor(g / COLOURS.length) % SHAPES; },
    path(g) {
      return ["M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", "M-4.5 -4.5h9v9h-9z", "M0 -6L5.5 4.5H-5.5z", "M0 -6.3L6.3 0L0 6.3L-6.3 0z"][this.shape(g)];
    },
    name(i, by) { return this.cloud[by].names[this.cloud[by].of[i]]; },
    time(i) { return `${clockOf(this.cloud.from_s[i])} to ${clockOf(this.cloud.to_s[i])}`; },
    told(i) { return `${this.name(i, "label")}, ${this.name(i, "modality")}, ${this.name(i, "recording")} ${this.time(i)}`; },
    next(i) {
      let best = -1, least = Infinity;
      for (let k = 0; k < this.of.length; k++) {
        const far = (this.cloud.x[k] - this.cloud.x[i]) ** 2 + (this.cloud.y[k] - this.cloud.y[i]) ** 2;
        if (k !== i && far < least) { least = far; best = k; }
      }
      return best < 0 ? "" : this.told(best);
    },
    pick(g) { this.only = this.only === g ? null : g; this.page = 0; this.draw(); },
    open(i) { this.$emit("open", { point: i }); },
    size() {
      const width = this.$refs.box.clientWidth, ratio = window.devicePixelRatio || 1;
      const height = Math.max(300, Math.min(width * 0.62, window.innerHeight * 0.58));
      Object.assign(this.$refs.canvas, { width: width * ratio, height: height * ratio });
      Object.assign(this.$refs.canvas.style, { width: `${width}px`, height: `${height}px` });
      Object.assign(this, { width, height });
      this.draw();
    },
    half() { return Math.min(this.width, this.height) / 2 - 16; },
    wide() { return Math.max(1, (this.width / 2 - 16) / this.half()); }, // a wide page is used
    spot(i) {
      const unit = this.half() * this.scale;
      return [this.width / 2 + (this.cloud.x[i] * this.wide() - this.x0) * unit, this.height / 2 + (this.cloud.y[i] - this.y0) * unit];
    },
    all() { Object.assign(this, { scale: 1, x0: 0, y0: 0 }); this.draw(); },
    zoom(factor, x = this.width / 2, y = this.height / 2) {
      const unit = this.half() * this.scale, scale = Math.min(Math.max(this.scale * factor, 1), 60);
      // what is under the pointer stays there
      this.x0 += (x - this.width / 2) * (1 / unit - 1 / (this.half() * scale));
      this.y0 += (y - this.height / 2) * (1 / unit - 1 / (this.half() * scale));
      this.scale = scale;
      this.pan(0, 0);
    },
    pan(dx, dy) {
      const unit = this.half() * this.scale;
      const most = [Math.max(0, this.wide() * (1 - 1 / this.scale)), Math.max(0, 1 - 1 / this.scale)];
      this.x0 = Math.min(Math.max(this.x0 - dx / unit, -most[0]), most[0]);
      this.y0 = Math.min(Math.max(this.y0 - dy / unit, -most[1]), most[1]);
      this.draw();
    },
    draw() {
      if (this.pending || !this.cloud || !this.width) return;
      this.pending = requestAnimationFrame(() => { this.pending = 0; if (this.$refs.canvas) this.paint(); });
    },
    paint() {
      const canvas = this.$refs.canvas, pen = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
      const look = LOOKS[Boolean(this.dark)], size = 0.62 + 0.12 * Math.min(this.scale, 6);
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.fillStyle = look.back;
      pen.fillRect(0, 0, this.width, this.height);
      const paths = this.groups.map((_, g) => new Path2D(this.path(g)));
      const mark = (i, alpha, grow) => {
        const [x, y] = this.spot(i);
        if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) return;
        pen.setTransform(ratio * size * grow, 0, 0, ratio * size * grow, x * ratio, y * ratio);
        pen.globalAlpha = alpha;
        pen.fillStyle = this.colour(this.of[i]);
        pen.fill(paths[this.of[i]]);
      };
      for (let i = 0; i < this.of.length; i++) if (this.only !== null && this.of[i] !== this.only) mark(i, 0.12, 0.8);
      for (const i of this.shown) mark(i, 0.8, 1);
      if (this.at !== null) {
        mark(this.at, 1, 1.6);
        pen.strokeStyle = look.text;
        pen.lineWidth = 1.4;
        pen.stroke(paths[this.of[this.at]]);
      }
      pen.globalAlpha = 1;
      pen.setTransform(1, 0, 0, 1, 0, 0);
      this.$refs.root.dataset.drawn = String(this.shown.length);
    },
    place(event) {
      const box = this.$refs.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    },
    nearest(x, y, most = 14) {
      let best = null, least = most * most;
      for (const i of this.shown) {
        const [a, b] = this.spot(i), far = (a - x) ** 2 + (b - y) ** 2;
        if (far < least) { least = far; best = i; }
      }
      return best;
    },
    show(i) {
      if (i === this.at) return;
      this.at = i;
      this.said = i === null ? "Point at a window; click opens it." : this.told(i);
      this.$refs.root.dataset.at = i === null ? "" : String(i);
      this.draw();
    },
    down(event) {
      const [x, y] = this.place(event);
      this.$refs.canvas.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, [x, y]);
      if (this.fingers.size === 1) this.begun = [x, y, false];
      else this.begun[2] = true;
    },
    move(event) {
      const [x, y] = this.place(event), before = this.fingers.get(event.pointerId);
      if (!before) {
        const i = this.nearest(x, y);
        this.$refs.canvas.style.cursor = i === null ? "grab" : "pointer";
        return this.show(i);
      }
      const other = [...this.fingers].find(([id]) => id !== event.pointerId);
      this.fingers.set(event.pointerId, [x, y]);
      if (other) {
        const [a, b] = other[1], gap = (p) => Math.max(10, Math.hypot(p[0] - a, p[1] - b));
        return this.zoom(gap([x, y]) / gap(before), (x + a) / 2, (y + b) / 2);
      }
      if (Math.hypot(x - this.begun[0], y - this.begun[1]) > 5) this.begun[2] = true;
      if (this.begun[2]) this.pan(x - before[0], y - before[1]);
    },
    up(event) {
      const was = this.fingers.delete(event.pointerId);
      if (!was || event.type === "pointercancel" || this.fingers.size || this.begun[2]) return;
      const i = this.nearest(...this.place(event), event.pointerType === "touch" ? 24 : 14);
      if (i !== null) { this.show(i); this.open(i); }
    },
    leave() { if (!this.fingers.size && document.activeElement !== this.$refs.box) this.show(null); },
    wheel(event) { this.zoom(Math.exp(-Math.max(-80, Math.min(80, event.deltaY)) * 0.004), ...this.place(event)); },
    go(dx, dy) {
      // the nearest of those that lie that way
      if (this.at === null) return this.show(this.nearest(this.width / 2, this.height / 2, 1e6));
      const [x, y] = this.spot(this.at);
      let best = null, least = Infinity;
      for (const i of this.shown) {
        const [a, b] = this.spot(i), along = (a - x) * dx + (b - y) * dy, beside = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
        if (i === this.at || along <= 0.01 || beside > along * 1.2) continue;
        if (along + 2 * beside < least) { least = along + 2 * beside; best = i; }
      }
      if (best === null) return;
      this.show(best);
      const [a, b] = this.spot(best), room = 30;
      this.pan(Math.min(0, this.width - room - a) + Math.max(0, room - a), Math.min(0, this.height - room - b) + Math.max(0, room - b));
    },
    key(event) {
      if (!this.cloud || event.ctrlKey || event.metaKey || event.altKey) return;
      const acts = {
        ArrowLeft: () => this.go(-1, 0), ArrowRight: () => this.go(1, 0), ArrowUp: () => this.go(0, -1), ArrowDown: () => this.go(0, 1),
        Enter: () => this.at !== null && this.open(this.at), "+": () => this.zoom(1.4), "=": () => this.zoom(1.4), "-": () => this.zoom(0.7),
        0: () => this.all(), Home: () => this.all(), Escape: () => this.show(null),
      };
      if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
    },
  },
};
