// What a phone does now: label, confidence, repetitions, latency, and its signal of the last seconds. Vue, as NiceGUI brings it.
const SECONDS = 10, COLOURS = [["#0b57a4", "#a84300", "#1b6e3c"], ["#90caf9", "#ffb68a", "#8fd6a7"]];
const STATES = {
  away: "No phone is connected: 'The phone' says how.",
  there: "The phone is connected: press Start on it.",
  starts: "The phone waits for its sensors ...",
  streams: "The phone streams.",
  hidden: "Paused: the page of the phone is not in front, or its screen is locked.",
  refused: "The phone's browser may not read its motion sensors: allow it there, and press Start again.",
  none: "The device that is connected gives no motion: it has no sensors, or its browser does not show them.",
  insecure: "The phone's page is not secure, so its browser gives no motion: start kinjo with 'kinjo studio --lan'.",
};

export default {
  template: `
    <div class="kj-live" ref="root">
      <p class="kj-soft" role="status">{{ why }}</p>
      <p class="kj-label" aria-live="polite">{{ label || "–" }}</p>
      <p class="kj-soft">{{ sure }}</p>
      <progress max="100" :value="confidence * 100" aria-label="Confidence"></progress>
      <dl class="kj-tiles">
        <div><dt>Repetitions</dt><dd data-live="count">{{ count }}</dd></div>
        <div><dt>Latency here</dt><dd data-live="here">{{ here }}</dd></div>
        <div><dt>Latency, phone</dt><dd data-live="phone">{{ phone }}</dd></div>
        <div><dt>Rate</dt><dd data-live="rate">{{ rate }}</dd></div>
      </dl>
      <p class="kj-soft">{{ legend }}</p>
      <canvas ref="chart" role="img" aria-label="The signal of the last ten seconds"></canvas>
    </div>`,
  data: () => ({
    state: "away", place: null, label: "", sure: "", confidence: 0, count: "–", here: "–", phone: "–", rate: "–",
    legend: "No signal yet: its last ten seconds are drawn here.", problem: "", begun: null, newest: null,
  }),
  computed: {
    why() {
      if (this.problem) return this.problem;
      if (this.state !== "streams" || this.label) return STATES[this.state] || "";
      const left = this.place && this.begun !== null ? Math.ceil(this.place.window_s - (this.newest - this.begun)) : 0;
      return left > 0 ? `The phone streams: the first answer comes in ${left} s.` : "The phone streams: waiting for the first answer ...";
    },
  },
  created() { Object.assign(this, { signal: {}, pending: 0 }); },
  mounted() {
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(this.$refs.root);
    this.watchTheme = new MutationObserver(() => this.draw());
    this.watchTheme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.draw();
    this.$emit("ready");
  },
  beforeUnmount() { this.resize.disconnect(); this.watchTheme.disconnect(); },
  methods: {
    take(events) {
      for (const event of events) if (this[`on_${event.event}`]) this[`on_${event.event}`](event);
    },
    on_place(event) { this.place = event; },
    on_phone(event) {
      if (event.state !== "streams") Object.assign(this, { label: "", sure: "", confidence: 0, count: "–", here: "–", phone: "–", rate: "–", begun: null });
      if (event.state === "starts" || event.state === "away") this.problem = "";
      this.state = event.state;
      if (event.latency_ms) this.phone = `${Math.round(event.latency_ms)} ms`;
      if (event.rate_hz) this.rate = `${Math.round(event.rate_hz)} Hz`;
    },
    on_error(event) { this.problem = `${event.message}. ${event.next || ""}`; },
    on_window(event) {
      const known = event.confidence >= (this.place ? this.place.enter : 0.5), label = known ? event.label : "unknown";
      if (label !== this.label) Object.assign(this, { label, count: "–" });
      Object.assign(this, { confidence: event.confidence, problem: "", state: "streams" });
      const share = `${Math.round(event.confidence * 100)} %`;
      this.sure = known ? `${share} sure` : `perhaps ${event.label}, ${share}`;
      this.$nextTick(() => requestAnimationFrame(() => {
        const pipe = new MessageChannel();
        pipe.port1.onmessage = () => {
          this.$emit("shown", { end_s: event.end_s });
          window.dispatchEvent(new CustomEvent("kinjo-shown", { detail: { end_s: event.end_s } }));
        };
        pipe.port2.postMessage(0);
      }));
    },
    on_count(event) {
      if (event.label === this.label) this.count = event.repetitions === null ? "not counted" : event.repetitions;
    },
    on_samples(event) {
      const last = event.t[event.t.length - 1];
      if (this.newest !== null && event.t[0] < this.newest - 5) Object.assign(this, { signal: {}, begun: null }); // another phone
      if (this.begun === null) this.begun = event.t[0];
      this.newest = Math.max(last, this.begun);
      const kept = (this.signal[event.stream] ||= []);
      event.t.forEach((t, k) => kept.push([t, ...event.values[k]]));
      while (kept.length && kept[0][0] < last - SECONDS) kept.shift();
      this.draw();
    },
    late(ms) { this.here = `${Math.round(ms)} ms`; },
    draw() {
      if (this.pending) return;
      this.pending = requestAnimationFrame(() => { this.pending = 0; if (this.$refs.chart) this.paint(); });
    },
    paint() {
      const canvas = this.$refs.chart, names = Object.keys(this.signal), ratio = window.devicePixelRatio || 1;
      const width = this.$refs.root.clientWidth, each = 96, height = each * Math.max(names.length, 1);
      Object.assign(canvas, { width: width * ratio, height: height * ratio });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
      const pen = canvas.getContext("2d"), style = getComputedStyle(this.$refs.root);
      const colours = COLOURS[document.body.classList.contains("body--dark") ? 1 : 0];
      pen.scale(ratio, ratio);
      pen.strokeStyle = style.getPropertyValue("--kj-line");
      pen.strokeRect(0.5, 0.5, width - 1, height - 1);
      if (names.length) {
        const units = { acc: "acceleration, m/s²", gyro: "rotation, rad/s" };
        this.legend = `${names.map((name) => units[name] || name).join("; ")}: x, y and z of the last ${SECONDS} s`;
      }
      names.forEach((name, row) => {
        const rows = this.signal[name];
        let low = Infinity, high = -Infinity;
        for (const one of rows) for (let k = 1; k < one.length; k += 1) { low = Math.min(low, one[k]); high = Math.max(high, one[k]); }
        const room = Math.max((high - low) * 0.05, 0.5), top = each * row + 20, space = each - 20;
        const y = (v) => top + (space * (high + room - v)) / (high - low + 2 * room);
        const x = (t) => width * (1 - (this.newest - t) / SECONDS);
        for (let k = 1; k <= 3; k += 1) {
          pen.strokeStyle = colours[k - 1];
          pen.lineWidth = 1.4;
          pen.beginPath();
          rows.forEach((one, i) => (i && one[0] - rows[i - 1][0] < 0.5 ? pen.lineTo(x(one[0]), y(one[k])) : pen.moveTo(x(one[0]), y(one[k]))));
          pen.stroke();
        }
        pen.fillStyle = style.getPropertyValue("--kj-soft");
        pen.font = "12px system-ui, sans-serif";
        pen.fillText(name, 8, each * row + 15); // above the lines
      });
    },
  },
};
