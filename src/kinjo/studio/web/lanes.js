// The timeline: lanes on one axis of time, drawn on a canvas. Plain Vue and canvas: nothing is built, nothing fetched
// from elsewhere. Signals come as numbers for each pixel (see views.py), so a day costs as much as a minute.
import { lanesOf, drawLanes, drawStage, clockOf, unpacked } from "kinjo-draw";

const STRIP = 16; // frames in a picture
const KEYS =
  "Space plays, arrows step, plus and minus zoom, Home and End go to the ends, I and O mark a span, T names it to " +
  "teach, L to label, N goes to the least sure span, brackets to the neighbouring span, Delete removes, U takes back.";

export default {
  props: { recording: String, spans: Object, begin: Array },
  template: `
  <div class="kj-timeline" ref="root">
    <div class="kj-stage" v-show="facts && (facts.videos.length || facts.poses.length)">
      <canvas ref="stage" role="img" :aria-label="'Video and skeleton at ' + clock"></canvas>
    </div>
    <div class="kj-bar" role="toolbar" aria-label="Playing and zooming">
      <button type="button" @click="toggle" :aria-label="playing ? 'Pause' : 'Play'" :title="(playing ? 'Pause' : 'Play') + ' (Space)'">{{ playing ? '❚❚' : '►' }}</button>
      <button type="button" @click="step(-1)" aria-label="Step back" title="Step back (←)">‹</button>
      <button type="button" @click="step(1)" aria-label="Step forward" title="Step forward (→)">›</button>
      <output class="kj-clock" aria-label="Time">{{ clock }}</output>
      <button type="button" @click="mark('from')" title="Mark where a span begins (I)">Mark in</button>
      <button type="button" @click="mark('to')" title="Mark where it ends (O)">Mark out</button>
      <span class="kj-room"></span>
      <button type="button" @click="zoom(2)" aria-label="Zoom out" title="Zoom out (−)">−</button>
      <button type="button" @click="zoom(0.5)" aria-label="Zoom in" title="Zoom in (+)">+</button>
      <button type="button" @click="fit" aria-label="Show all" title="Show all (0)">All</button>
    </div>
    <div class="kj-lanes" ref="box" tabindex="0" role="application" aria-label="Timeline" :aria-description="help" @keydown="key">
      <canvas ref="lanes" @pointerdown="down" @pointermove="move" @pointerup="up" @pointercancel="up"
        @wheel.prevent="wheel" @dblclick="nameIt('teach')"></canvas>
    </div>
    <div class="kj-said" aria-live="polite">{{ said }}</div>
    <ul v-for="(name, lane) in lists" class="kj-hidden" :data-lane="lane" :aria-label="name">
      <li v-for="s in facts ? spans[lane].slice(0, 200) : []" :data-span="JSON.stringify(s)">{{ told(s) }}</li>
    </ul>
  </div>`,
  data: () => ({ facts: null, clock: "0:00.0", playing: false, said: "Reading the recording ...", help: KEYS, lists: { said: "Labels", found: "Recognised" } }),
  mounted() {
    Object.assign(this, { view: [0, 1], at: 0, chosen: null, picked: null, parts: [], drawnView: [0, 1] });
    Object.assign(this, { strips: new Map(), poses: null, fingers: new Map(), drag: null, busy: false, wanted: false });
    this.sized = new ResizeObserver(() => this.refresh());
    this.sized.observe(this.$refs.root);
    const looked = () => { this.dark = document.body.classList.contains("body--dark"); this.draw(); };
    this.darkened = new MutationObserver(looked);
    this.darkened.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    looked();
    this.open();
  },
  unmounted() {
    this.sized.disconnect();
    this.darkened.disconnect();
    this.playing = false;
  },
  watch: {
    recording() { this.open(); },
    spans() { this.keepPick(); this.draw(); },
  },
  methods: {
    url(path) { return `/studio/${this.recording}/${path}`; },
    emit(name, more) { this.$emit(name, { ...more }); },
    nameIt(how) {
      // here, not by way of the server: what is typed at once has to arrive
      const field = document.querySelector(".kj-name input");
      if (field) { field.focus(); field.select(); }
      this.emit("name", { how });
    },
    back() { this.$refs.box.focus({ preventScroll: true }); }, // called by the page

    // ---------------------------------------------------------------- what is shown
    told([from, to, label, sure]) {
      const start = this.facts.from_s;
      return `${label}, ${clockOf(from - start)} to ${clockOf(to - start)}, ${Math.round(sure * 100)} %`;
    },
    async open() {
      this.facts = null;
      if (!this.recording) return;
      const told = await fetch(this.url("facts"));
      if (!told.ok) {
        const problem = await told.json().catch(() => ({ detail: "the server does not answer" }));
        this.said = `${problem.detail}. ${problem.next || ""}`;
        return;
      }
      this.facts = await told.json();
      this.strips.clear();
      this.begun = false;
      Object.assign(this, { poses: null, chosen: null, picked: null, parts: [], at: this.facts.from_s });
      this.said = "Drag over a span to name it; wheel or pinch zooms, Shift and drag moves.";
      this.fit();
      await this.$nextTick();
      this.refresh();
      if (this.begin) this.show(...this.begin);
    },
    show(from, to, play) {
      // a span that a link names: chosen, its beginning looked at, and played
      const { from_s, to_s } = this.facts, start = Math.min(Math.max(from, from_s), to_s), end = Math.min(Math.max(to, start), to_s);
      const room = (end - start) * 0.75 + 0.5;
      this.look(start - room, end + room);
      this.seek(start);
      if (end > start) this.choose([start, end]);
      if (play && !this.playing) this.toggle();
    },
    now() { return this.at; }, // asked by the page
    refresh() {
      if (!this.facts) return;
      this.lanes = lanesOf(this.facts);
      const width = this.$refs.box.clientWidth, ratio = window.devicePixelRatio || 1;
      const height = this.lanes[this.lanes.length - 1].bottom;
      const canvas = this.$refs.lanes;
      Object.assign(canvas, { width: width * ratio, height: height * ratio });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
      this.width = width;
      this.draw();
      this.load();
    },
    look(from, to) {
      const { from_s, to_s } = this.facts, least = 0.05, whole = Math.max(to_s - from_s, least);
      const span = Math.min(Math.max(to - from, least), whole);
      const middle = (from + to) / 2;
      const start = Math.min(Math.max(middle - span / 2, from_s), Math.max(to_s - span, from_s));
      this.view = [start, start + span];
      this.draw();
      this.load();
    },
    fit() { this.look(this.facts.from_s, this.facts.to_s); },
    zoom(factor, about = this.at) {
      if (!this.facts) return;
      const [from, to] = this.view;
      const fixed = about < from || about > to ? (from + to) / 2 : about;
      this.look(fixed - (fixed - from) * factor, fixed + (to - fixed) * factor);
    },
    async load() {
      // one request at a time: what was asked meanwhile is asked when it has come
      if (this.busy) { this.wanted = true; return; }
      this.busy = true;
      const [from, to] = this.view, pixels = Math.max(1, Math.min(4096, Math.round(this.width || 300)));
      try {
        if (this.facts.lanes.length) {
          const start = performance.now();
          const got = await fetch(this.url(`view?from_s=${from}&to_s=${to}&pixels=${pixels}`));
          if (got.ok) Object.assign(this, { parts: unpacked(await got.arrayBuffer()), drawnView: [from, to] });
          this.$refs.root.dataset.frameMs = (performance.now() - start).toFixed(1);
        }
      } catch (error) {
        this.said = "The server does not answer.";
      }
      this.busy = false;
      this.draw();
      this.$refs.root.dataset.drawn = `${from.toFixed(3)}-${to.toFixed(3)}`;
      if (!this.begun) { this.begun = true; this.emit("drawn"); } // now there is time to recognise
      if (this.wanted) { this.wanted = false; this.load(); }
    },
    draw() {
      if (this.pending || !this.facts) return;
      this.pending = requestAnimationFrame(() => {
        this.pending = 0;
        if (!this.facts || !this.$refs.lanes) return;
        this.clock = clockOf(this.at - this.facts.from_s);
        drawLanes(this.$refs.lanes, this);
        this.stage();
      });
    },

    // ---------------------------------------------------------------- video and skeleton
    stage() {
      const { videos, poses } = this.facts;
      if (!videos.length && !poses.length) return;
      const pictures = videos.map((video) => ({ video, ...this.frame(video) }));
      const pose = poses.length ? this.pose(poses[0]) : null;
      drawStage(this.$refs.stage, pictures, pose && { ...pose, facts: poses[0] }, this.dark);
    },
    frameAt(video) {
      if (!video.times) return Math.floor((this.at - video.start_s) * video.rate_hz + 1e-6);
      let low = 0, high = video.times.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (video.times[middle] <= this.at) low = middle + 1; else high = middle;
      }
      return low - 1;
    },
    frame(video) {
      const number = Math.min(Math.max(this.frameAt(video), 0), video.length - 1), part = Math.floor(number / STRIP);
      const image = this.strip(video, part);
      if (this.playing && (part + 1) * STRIP < video.length) this.strip(video, part + 1);
      return { image: image.ready ? image : null, column: number - part * STRIP };
    },
    strip(video, part) {
      const name = `${video.name}/${part}`;
      if (!this.strips.has(name)) {
        const image = new Image();
        image.onload = () => { image.ready = true; this.draw(); };
        image.src = this.url(`strip/${encodeURIComponent(video.name)}?first=${part * STRIP}&count=${STRIP}`);
        this.strips.set(name, image);
        if (this.strips.size > 60) this.strips.delete(this.strips.keys().next().value);
      }
      return this.strips.get(name);
    },
    pose(facts) {
      const known = this.poses;
      if (!known || this.at < known.from || this.at >= known.to) {
        if (!this.posing) this.fetchPoses(facts, this.at - 2, this.at + 10);
        if (!known) return null;
      }
      if (!this.poses.times.length) return null;
      let i = this.poses.times.findIndex((time) => time > this.at);
      i = (i < 0 ? this.poses.times.length : i) - 1;
      const size = this.poses.joints * 2;
      return { joints: this.poses.values.subarray(Math.max(i, 0) * size, (Math.max(i, 0) + 1) * size) };
    },
    async fetchPoses(facts, from, to) {
      this.posing = true;
      try {
        const got = await fetch(this.url(`pose/${encodeURIComponent(facts.name)}?from_s=${from}&to_s=${to}`));
        if (got.ok) this.poses = { from, to, ...unpacked(await got.arrayBuffer())[0] };
      } finally {
        this.posing = false;
      }
      this.draw();
    },

    // ---------------------------------------------------------------- time
    seek(time) {
      this.at = Math.min(Math.max(time, this.facts.from_s), this.facts.to_s);
      const [from, to] = this.view, span = to - from;
      if (this.at < from || this.at > to) this.look(this.at - span * 0.1, this.at + span * 0.9);
      this.draw();
    },
    toggle() {
      if (!this.facts) return;
      this.playing = !this.playing;
      if (!this.playing) return;
      if (this.at >= this.facts.to_s - 0.01) this.seek(this.facts.from_s);
      let before = performance.now();
      const tick = (now) => {
        if (!this.playing || !this.facts) return;
        this.seek(this.at + (now - before) / 1000);
        before = now;
        if (this.at >= this.facts.to_s) this.playing = false; else requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    },
    step(way, many = 1) {
      if (!this.facts) return;
      const video = this.facts.videos[0];
      this.playing = false;
      this.seek(this.at + (way * many) / (video ? video.rate_hz : 10));
    },
    mark(side) {
      if (!this.facts) return;
      const [from, to] = this.chosen || [this.at, this.at];
      this.choose(side === "from" ? [this.at, Math.max(to, this.at)] : [Math.min(from, this.at), this.at]);
    },
    choose(span, pick = null) {
      this.chosen = span;
      this.picked = pick;
      const start = this.facts.from_s;
      if (!span) this.said = "Nothing chosen.";
      else if (pick) this.said = this.told(pick.span);
      else this.said = `${clockOf(span[0] - start)} to ${clockOf(span[1] - start)} chosen`;
      this.draw();
      this.emit("choose", { span, picked: pick && pick.span, lane: pick && pick.lane });
    },
    keepPick() {
      if (!this.picked) return;
      const same = this.spans[this.picked.lane].find((s) => s[0] === this.picked.span[0] && s[1] === this.picked.span[1]);
      this.picked = same ? { lane: this.picked.lane, span: same } : null;
    },
    goto(from, to, lane) {
      // called by the page: show a span, with its surroundings, and pick it
      const span = this.spans[lane].find((s) => Math.abs(s[0] - from) < 1e-6 && Math.abs(s[1] - to) < 1e-6);
      const room = (to - from) * 0.75 + 0.5;
      this.look(from - room, to + room);
      this.at = from;
      this.choose([from, to], span ? { lane, span } : null);
      this.$refs.box.focus({ preventScroll: true });
    },
    neighbour(way) {
      const lane = this.picked ? this.picked.lane : this.spans.found.length ? "found" : "said";
      const all = this.spans[lane];
      const start = this.picked ? this.picked.span[0] : this.at;
      const next = way > 0 ? all.find((s) => s[0] > start + 1e-6) : [...all].reverse().find((s) => s[0] < start - 1e-6);
      if (next) this.goto(next[0], next[1], lane);
    },

    // ---------------------------------------------------------------- keys, mouse, fingers
    key(event) {
      if (!this.facts) return;
      const many = event.shiftKey ? 10 : 1;
      if (event.ctrlKey || event.metaKey || event.altKey) {
        if (event.key !== "z" || event.altKey) return;
        event.preventDefault();
        return this.emit("undo");
      }
      const acts = {
        " ": () => this.toggle(), ArrowLeft: () => this.step(-1, many), ArrowRight: () => this.step(1, many),
        "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), 0: () => this.fit(),
        Home: () => this.seek(this.facts.from_s), End: () => this.seek(this.facts.to_s),
        i: () => this.mark("from"), o: () => this.mark("to"), t: () => this.nameIt("teach"),
        l: () => this.nameIt("label"), n: () => this.emit("next"), u: () => this.emit("undo"),
        Delete: () => this.picked && this.emit("remove"), Backspace: () => this.picked && this.emit("remove"),
        "[": () => this.neighbour(-1), "]": () => this.neighbour(1), Escape: () => this.choose(null),
      };
      const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (act) { event.preventDefault(); act(); }
    },
    timeAt(x) { return this.view[0] + ((this.view[1] - this.view[0]) * x) / this.width; },
    place(event) {
      const box = this.$refs.lanes.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    },
    hit(x, y) {
      const lane = this.lanes.find((l) => y >= l.top && y < l.bottom);
      if (!lane || (lane.kind !== "said" && lane.kind !== "found")) return { lane };
      const time = this.timeAt(x), near = (6 * (this.view[1] - this.view[0])) / this.width;
      const span = this.spans[lane.kind].find((s) => time >= s[0] - near && time < s[1] + near);
      const edge = span && (Math.abs(time - span[0]) < near ? "start" : Math.abs(time - span[1]) < near ? "end" : null);
      return { lane, span, edge };
    },
    down(event) {
      if (!this.facts) return;
      const [x, y] = this.place(event);
      this.$refs.box.focus({ preventScroll: true });
      this.$refs.lanes.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, x);
      if (this.fingers.size === 2) {
        clearTimeout(this.held);
        const [a, b] = [...this.fingers.values()];
        this.drag = { kind: "pinch", gap: Math.max(Math.abs(a - b), 10), about: this.timeAt((a + b) / 2), view: [...this.view] };
        return;
      }
      const { lane, span, edge } = this.hit(x, y), time = this.timeAt(x);
      const picked = span && this.picked && this.picked.lane === lane.kind && this.picked.span[0] === span[0];
      const base = { x, time, view: [...this.view], lane, span };
      if (event.shiftKey || event.button === 1) this.drag = { kind: "pan", ...base };
      else if (lane && lane.kind === "ruler") { this.drag = { kind: "seek", ...base }; this.seek(time); }
      else if (picked) this.drag = { kind: edge || "shift", ...base, moved: [span[0], span[1]] };
      else if (event.pointerType === "touch") {
        this.drag = { kind: "pan", ...base };
        this.held = setTimeout(() => {
          this.drag = { kind: "choose", ...base };
          this.said = "Drag to choose a span.";
        }, 350);
      } else this.drag = { kind: "choose", ...base };
    },
    move(event) {
      const [x, y] = this.place(event), drag = this.drag;
      if (!this.facts) return;
      if (!drag) {
        const { span, edge, lane } = this.hit(x, y);
        this.$refs.lanes.style.cursor = edge ? "ew-resize" : span ? "pointer" : lane && lane.kind === "ruler" ? "col-resize" : "crosshair";
        return;
      }
      if (!this.fingers.has(event.pointerId)) return;
      this.fingers.set(event.pointerId, x);
      const time = this.timeAt(x);
      if (drag.kind === "pinch" && this.fingers.size === 2) {
        const [a, b] = [...this.fingers.values()];
        const scale = drag.gap / Math.max(Math.abs(a - b), 10), [from, to] = drag.view;
        this.look(drag.about - (drag.about - from) * scale, drag.about + (to - drag.about) * scale);
      } else if (drag.kind === "pan") {
        if (Math.abs(x - drag.x) > 6) { clearTimeout(this.held); drag.far = true; }
        const shift = ((drag.x - x) / this.width) * (drag.view[1] - drag.view[0]);
        if (drag.far || event.shiftKey) this.look(drag.view[0] + shift, drag.view[1] + shift);
      } else if (drag.kind === "seek") this.seek(time);
      else if (drag.kind === "choose" && Math.abs(x - drag.x) > 3) {
        drag.far = true;
        this.chosen = [Math.min(drag.time, time), Math.max(drag.time, time)];
        this.picked = null;
        this.draw();
      } else if (drag.moved) {
        const by = time - drag.time, [a, b] = drag.span;
        drag.far = drag.far || Math.abs(x - drag.x) > 3;
        if (drag.kind === "shift") drag.moved = [a + by, b + by];
        if (drag.kind === "start") drag.moved = [Math.min(a + by, b - 0.05), b];
        if (drag.kind === "end") drag.moved = [a, Math.max(b + by, a + 0.05)];
        if (drag.far) { this.chosen = drag.moved; this.draw(); }
      }
    },
    up(event) {
      clearTimeout(this.held);
      const drag = this.drag;
      this.fingers.delete(event.pointerId);
      if (this.fingers.size === 0) this.drag = null;
      if (!drag || drag.kind === "pinch" || drag.kind === "seek") return;
      if (drag.moved && drag.far) this.emit("shift", { from_s: drag.moved[0], to_s: drag.moved[1] });
      else if (drag.kind === "choose" && drag.far) this.choose(this.chosen.map((t) => Math.min(Math.max(t, this.facts.from_s), this.facts.to_s)));
      else if (!drag.far && drag.span) { this.at = drag.span[0]; this.choose([drag.span[0], drag.span[1]], { lane: drag.lane.kind, span: drag.span }); }
      else if (!drag.far) { this.seek(drag.time); if (this.chosen) this.choose(null); }
    },
    wheel(event) {
      if (!this.facts) return;
      const [from, to] = this.view, [x] = this.place(event);
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
        const by = ((event.deltaX || event.deltaY) / this.width) * (to - from);
        this.look(from + by, to + by);
      } else this.zoom(Math.exp(Math.max(-80, Math.min(80, event.deltaY)) * 0.004), this.timeAt(x));
    },
  },
};
