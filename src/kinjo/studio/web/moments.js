// Moments in a list: each with a small picture that plays, what it is, and how near. Plain Vue and canvas.
import { CHANNELS, LOOKS, bins, clockOf, skeleton, unpacked } from "kinjo-draw";

export default {
  props: { moments: Array, small: Boolean },
  template: `
  <ol :class="['kj-moments', { 'kj-small': small }]">
    <li v-for="(m, i) in moments" :key="m.id" class="kj-moment" :data-moment="JSON.stringify(m)">
      <button type="button" class="kj-picture" @click="toggle(m)" :aria-label="(playing === m.id ? 'Stop ' : 'Play ') + where(m)" :title="playing === m.id ? 'Stop' : 'Play it here'">
        <canvas :ref="'canvas' + m.id" width="208" height="128" aria-hidden="true"></canvas>
        <span class="kj-mark" aria-hidden="true">{{ playing === m.id ? '❚❚' : '►' }}</span>
      </button>
      <div class="kj-what">
        <a :href="'/moment/' + m.id" :title="'Open ' + where(m) + ' in the timeline'">{{ m.recording }}, {{ time(m.from_s) }} to {{ time(m.to_s) }}</a>
        <div class="kj-soft">{{ m.label ? 'labelled ' + m.label : 'no label' }}{{ m.source === m.recording ? '' : ' · ' + m.source }}</div>
        <div v-if="m.said && !small" class="kj-soft">{{ m.said }}</div>
        <div class="kj-score" :title="'Similarity ' + m.score.toFixed(3) + ', nearest by ' + m.by">
          <span class="kj-measure" aria-hidden="true"><span :style="{ width: Math.max(0, Math.min(1, m.score)) * 100 + '%' }"></span></span>
          <span class="kj-soft">{{ m.score.toFixed(2) }} by {{ m.by }}</span>
        </div>
      </div>
    </li>
  </ol>`,
  data: () => ({ playing: null }),
  mounted() {
    this.got = new Map();
    const looked = () => { this.dark = document.body.classList.contains("body--dark"); this.all(); };
    this.darkened = new MutationObserver(looked);
    this.darkened.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    looked();
  },
  unmounted() { this.darkened.disconnect(); this.playing = null; },
  watch: { moments() { this.playing = null; this.$nextTick(() => this.all()); } },
  methods: {
    time(seconds) { return clockOf(seconds); },
    where(m) { return `${m.recording} at ${clockOf(m.from_s)}`; },
    async all() {
      // one after the other: a list of pictures must not keep the workers from all else
      const mine = (this.round = (this.round || 0) + 1);
      delete this.$el.dataset.drawn;
      for (const m of this.moments || []) {
        if (mine !== this.round) return;
        if (!this.got.has(m.id)) this.got.set(m.id, await this.fetched(m));
        this.draw(m, 0);
      }
      this.$el.dataset.drawn = "";
    },
    async fetched(m) {
      try {
        if (m.kind === "video") {
          const strip = await fetch(`/studio/moment/${m.id}/strip`);
          if (!strip.ok) return null;
          return { kind: "video", many: Number(strip.headers.get("Kinjo-Frames")), image: await createImageBitmap(await strip.blob()) };
        }
        const told = await fetch(`/studio/moment/${m.id}`);
        return told.ok ? unpacked(await told.arrayBuffer())[0] : null;
      } catch (error) {
        return null;
      }
    },
    draw(m, share) {
      const canvas = [this.$refs["canvas" + m.id]].flat()[0], got = this.got.get(m.id);
      if (!canvas) return;
      const pen = canvas.getContext("2d"), look = LOOKS[Boolean(this.dark)], wide = canvas.width, high = canvas.height;
      pen.fillStyle = look.back;
      pen.fillRect(0, 0, wide, high);
      if (!got) {
        pen.fillStyle = look.soft;
        pen.font = "22px system-ui, sans-serif";
        return pen.fillText("no picture", 50, high / 2 + 8);
      }
      if (got.kind === "video") return this.film(pen, got, share, wide, high);
      if (got.kind === "pose") return this.body(pen, got, share, wide, high, look);
      return this.signal(pen, got, share, wide, high, look, m);
    },
    film(pen, { image, many }, share, wide, high) {
      const width = image.width / many, tall = image.height, scale = Math.min(wide / width, high / tall);
      const k = Math.min(many - 1, Math.floor(share * many));
      pen.drawImage(image, k * width, 0, width, tall, (wide - width * scale) / 2, (high - tall * scale) / 2, width * scale, tall * scale);
    },
    body(pen, got, share, wide, high, look) {
      const size = got.joints * 2, many = got.count / size, k = Math.min(many - 1, Math.floor(share * many));
      const pose = { joints: got.values.subarray(k * size, (k + 1) * size), facts: { bones: got.bones } };
      skeleton(pen, pose, got.box, 0, wide, high, look);
    },
    signal(pen, got, share, wide, high, look) {
      let low = Infinity, top = -Infinity;
      for (const value of got.values) if (!Number.isNaN(value)) { low = Math.min(low, value); top = Math.max(top, value); }
      if (!(top > low)) { low -= 1; top += 1; }
      const y = (value) => 6 + (high - 12) * (1 - (value - low) / (top - low));
      for (let channel = 0; channel < got.channels; channel++) {
        pen.strokeStyle = CHANNELS[Boolean(this.dark)][channel % 4];
        pen.lineWidth = 1.6;
        pen.beginPath();
        bins(pen, got, channel, wide, 1, 0, y);
        pen.stroke();
      }
      if (share > 0) {
        pen.strokeStyle = look.cursor;
        pen.lineWidth = 2;
        pen.beginPath();
        pen.moveTo(share * wide, 0);
        pen.lineTo(share * wide, high);
        pen.stroke();
      }
    },
    toggle(m) {
      if (this.playing === m.id) { this.playing = null; return; }
      this.playing = m.id;
      const start = performance.now(), lasts = Math.max(m.to_s - m.from_s, 0.2) * 1000;
      const tick = (now) => {
        if (this.playing !== m.id) return this.draw(m, 0);
        const share = Math.min((now - start) / lasts, 1);
        this.draw(m, share);
        if (share < 1) requestAnimationFrame(tick); else { this.playing = null; this.draw(m, 0); }
      };
      requestAnimationFrame(tick);
    },
  },
};
