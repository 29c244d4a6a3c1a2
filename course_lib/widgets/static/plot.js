// Moving things over a picture that matplotlib drew, and small charts that the browser draws alone.

/** A PNG that came as bytes, as something an <img> can show. */
const imageUrl = bytes => URL.createObjectURL(new Blob([bytes], {type: 'image/png'}));

/**
 * A matplotlib picture with a canvas over it. Python hands over where the axes lie in the picture (`axes`: left, top,
 * width, height in CSS pixels, and the limits `x` and `y`), so what is drawn here lies where matplotlib would put it.
 * While something moves one sees `background` + canvas; when it rests, `exact`, the same picture wholly by matplotlib.
 */
class Plot {
  constructor(label) {
    this.back = el('img', {class: 'cw-picture', alt: '', draggable: 'false'});
    this.front = el('img', {class: 'cw-picture', alt: '', draggable: 'false', hidden: true});
    this.canvas = el('canvas', {class: 'cw-canvas', role: 'img', 'aria-label': label});
    this.node = el('div', {class: 'cw-plot'}, this.back, this.canvas, this.front);
    this.painter = () => {};
    this.scale = Math.max(2, Math.ceil(devicePixelRatio || 1));
  }
  /** The picture without what moves: `size` [width, height] in CSS pixels, `axes` a list, `bytes` a PNG. */
  async background(bytes, size, axes) {
    const url = imageUrl(bytes);
    await this.swap(this.back, url, () => {
      Object.assign(this, {size, axes});
      this.node.style.maxWidth = `${size[0]}px`;
      this.node.style.aspectRatio = `${size[0]} / ${size[1]}`;
      [this.canvas.width, this.canvas.height] = size.map(v => v*this.scale);
      this.paint();
    });
  }
  /** Show matplotlib's own picture, until the next `move()`; `still()` must be true by the time it is ready. */
  async exact(bytes, still = () => true) {
    if (!bytes || !bytes.byteLength) return;
    if (!still()) return;
    const url = imageUrl(bytes);
    await this.swap(this.front, url, () => { if (still()) this.rest(); });
  }
  /** Put a picture in place of another once it is ready, unless a newer one has overtaken it. */
  async swap(img, url, then) {
    const turn = img.turn = (img.turn || 0) + 1, ready = new Image();
    ready.src = url;
    try { await ready.decode(); } catch { img.turn = NaN; }
    if (img.turn !== turn) return URL.revokeObjectURL(url);
    const old = img.src;
    img.src = url;
    if (old.startsWith('blob:')) URL.revokeObjectURL(old);
    then();
  }
  /** At rest one sees matplotlib's picture alone: both are transparent, and would be darker together. */
  rest() { this.front.hidden = false; this.back.style.opacity = 0; }
  /** Something moves: draw in the browser from here on. */
  move() { this.front.hidden = true; this.back.style.opacity = ''; this.draw(); }
  /** Ask for one painting with the next frame. */
  draw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => { this.asked = null; this.paint(); });
  }
  paint() {
    if (!this.axes) return;
    const ctx = this.canvas.getContext('2d');
    ctx.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    ctx.clearRect(0, 0, ...this.size);
    this.painter(ctx, this);
  }
  X(x, k = 0) { const a = this.axes[k]; return a.left + (x - a.x[0])/(a.x[1] - a.x[0])*a.width; }
  Y(y, k = 0) { const a = this.axes[k]; return a.top + (a.y[1] - y)/(a.y[1] - a.y[0])*a.height; }
  /** The data coordinates of a mouse event. */
  at(e, k = 0) {
    const box = this.canvas.getBoundingClientRect(), a = this.axes[k], shrink = this.size[0]/box.width;
    const px = (e.clientX - box.left)*shrink, py = (e.clientY - box.top)*shrink;
    return {x: a.x[0] + (px - a.left)/a.width*(a.x[1] - a.x[0]), y: a.y[1] - (py - a.top)/a.height*(a.y[1] - a.y[0]), px, py};
  }
  /** Do `f(ctx)` clipped to axes `k`, as matplotlib clips lines. */
  clip(ctx, f, k = 0) {
    const a = this.axes[k];
    ctx.save(); ctx.beginPath(); ctx.rect(a.left, a.top, a.width, a.height); ctx.clip();
    f(ctx);
    ctx.restore();
  }
  /** A line through data points; `width` in points as matplotlib counts, `dash` in multiples of it. */
  line(ctx, xs, ys, {colour, width = 2, dash = [], alpha = 1, k = 0} = {}) {
    const px = width*100/72;  // the pictures have 100 CSS pixels to the inch
    this.clip(ctx, () => {
      ctx.globalAlpha = alpha; ctx.strokeStyle = colour; ctx.lineWidth = px; ctx.lineJoin = 'round';
      ctx.setLineDash(dash.map(d => d*px));
      ctx.beginPath();
      let pen = false;
      for (let i = 0; i < xs.length; i++) {
        const y = ys[i] === null ? NaN : this.Y(ys[i], k);  // Python says null where there is no number
        if (!Number.isFinite(y)) { pen = false; continue; }
        const inside = Math.max(-1e5, Math.min(1e5, y));  // a canvas gives up on huge coordinates
        if (pen) ctx.lineTo(this.X(xs[i], k), inside); else ctx.moveTo(this.X(xs[i], k), inside);
        pen = true;
      }
      ctx.stroke();
    }, k);
  }
  /** The same for a function, at every CSS pixel of the axes or between `lo` and `hi`. */
  curve(ctx, f, {lo = null, hi = null, ...style} = {}) {
    const a = this.axes[style.k || 0], from = lo ?? a.x[0], to = hi ?? a.x[1];
    const n = Math.max(2, Math.ceil(a.width*(to - from)/(a.x[1] - a.x[0]))), xs = [], ys = [];
    for (let i = 0; i <= n; i++) { const x = from + (to - from)*i/n; xs.push(x); ys.push(f(x)); }
    this.line(ctx, xs, ys, style);
  }
  close() { for (const img of [this.back, this.front]) if (img.src.startsWith('blob:')) URL.revokeObjectURL(img.src); }
}

/** The index of the lowest number; null, where a function failed, does not count. */
const lowest = ys => ys.indexOf(Math.min(...ys.filter(v => v !== null)));

/**
 * A small line chart that the browser draws: series over 0, 1, 2 … It takes its colours from the theme.
 * A series: {name, ys, colour, dash, marks, best}, `best` the index that gets a star; `cursor` marks one index; `log` uses a logarithmic axis where all is above 0.
 */
class Chart {
  constructor(label, {width = 280, height = 130, xlabel = '', ylabel = '', log = false} = {}) {
    Object.assign(this, {label, width, height, xlabel, ylabel, log, series: [], scale: Math.max(2, Math.ceil(devicePixelRatio || 1))});
    this.canvas = el('canvas', {class: 'cw-chart', role: 'img', 'aria-label': label, style: `max-width:${width}px;aspect-ratio:${width}/${height}`});
    [this.canvas.width, this.canvas.height] = [width*this.scale, height*this.scale];
    this.node = this.canvas;
  }
  set(series, {cursor = null, words = ''} = {}) {
    Object.assign(this, {series, cursor});
    if (words) this.canvas.setAttribute('aria-label', `${this.label}: ${words}`);
    if (!this.asked) this.asked = requestAnimationFrame(() => { this.asked = null; this.paint(); });
  }
  paint() {
    const ctx = this.canvas.getContext('2d'), style = getComputedStyle(this.canvas), ink = style.color;
    const all = this.series.flatMap(s => s.ys).filter(Number.isFinite);
    ctx.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    ctx.clearRect(0, 0, this.width, this.height);
    if (!all.length) return;
    const log = this.log && Math.min(...all) > 0, f = log ? Math.log10 : v => v;
    let lo = f(Math.min(...all)), hi = f(Math.max(...all));
    if (hi - lo < 1e-12) { lo -= .5; hi += .5; }
    ctx.font = `11px ${style.fontFamily}`;
    const ends = [hi, lo].map(v => fmt(log ? 10**v : v, 3)), left = Math.max(50, ...ends.map(t => 8 + ctx.measureText(t).width));
    const count = Math.max(...this.series.map(s => s.ys.length)), n = Math.max(2, count);
    const box = {l: left, t: 16, r: this.width - 10, b: this.height - 24};
    const X = i => box.l + i/(n - 1)*(box.r - box.l), Y = v => box.b - (f(v) - lo)/(hi - lo)*(box.b - box.t);
    ctx.fillStyle = ink; ctx.strokeStyle = ink;
    ctx.globalAlpha = .35; ctx.strokeRect(box.l, box.t, box.r - box.l, box.b - box.t); ctx.globalAlpha = 1;
    ctx.textAlign = 'right'; ctx.textBaseline = 'middle';
    ctx.fillText(ends[0], box.l - 5, box.t + 3); ctx.fillText(ends[1], box.l - 5, box.b - 3);
    ctx.textBaseline = 'alphabetic';
    ctx.textAlign = 'left'; ctx.fillText(this.ylabel + (log ? ' (log)' : ''), box.l, box.t - 5);
    ctx.fillText('0', box.l, box.b + 13);
    ctx.textAlign = 'right'; ctx.fillText(count > 1 ? `${n - 1} ${this.xlabel}` : this.xlabel, box.r, box.b + 13);
    for (const s of this.series) this.line(ctx, s, X, Y);
    if (this.cursor !== null) {
      ctx.globalAlpha = .6; ctx.setLineDash([3, 3]); ctx.strokeStyle = ink;
      ctx.beginPath(); ctx.moveTo(X(this.cursor), box.t); ctx.lineTo(X(this.cursor), box.b); ctx.stroke();
      ctx.setLineDash([]); ctx.globalAlpha = 1;
    }
  }
  line(ctx, {ys, colour, dash = [], marks = false, width = 1.8, best = -1}, X, Y) {
    ctx.strokeStyle = ctx.fillStyle = colour; ctx.lineWidth = width; ctx.setLineDash(dash);
    ctx.beginPath();
    ys.forEach((v, i) => { if (Number.isFinite(v)) ctx.lineTo(X(i), Y(v)); });
    ctx.stroke(); ctx.setLineDash([]);
    if (marks || ys.length === 1) ys.forEach((v, i) => {
      if (Number.isFinite(v)) { ctx.beginPath(); ctx.arc(X(i), Y(v), 2.6, 0, 7); ctx.fill(); }
    });
    if (best < 0) return;
    ctx.textAlign = 'center';
    ctx.fillText('★', X(best), Math.max(Y(ys[best]) - 6, 26));
  }
}

/** What the colours and dashes stand for, as HTML: [{name, colour, dash}]. */
function legend(items) {
  return el('div', {class: 'cw-legend'}, ...items.map(({name, colour, dash = false, dot = false}) => el('span', {},
    el('i', {class: dot ? 'cw-dot' : 'cw-swatch', style: dot ? `background:${colour}` : `border-top:3px ${dash ? 'dashed' : 'solid'} ${colour}`}), name)));
}
