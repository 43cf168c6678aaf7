"""The viewer of clouds: the style and the script that a page with :class:`~mmpt.visualization.Clouds3D` carries."""

__all__ = ['SCRIPT', 'STYLE']

STYLE = """
:root { --cloud-input: #3f78b5; --cloud-visible: #21876a; --cloud-reconstructed: #d9651a; --cloud-context: #8b95a1; }
@media (prefers-color-scheme: dark) {
  :root { --cloud-input: #7fb6ef; --cloud-visible: #4fd0a6; --cloud-reconstructed: #ff9a55; --cloud-context: #87919d; }
}
.clouds { margin: 1rem 0 1.4rem; }
.clouds > p { font-weight: 600; font-size: .95rem; margin: 0 0 .35rem; }
.views {
  display: grid; gap: .6rem; border-radius: .5rem;
  grid-template-columns: repeat(auto-fill, minmax(max(6.3rem, (100% - (var(--n) - 1) * .6rem) / var(--n)), 1fr));
}
.views:focus-visible { outline: 2px solid var(--link); outline-offset: 3px; }
.views figure { margin: 0; min-width: 0; }
.views canvas, .views img {
  display: block; width: 100%; aspect-ratio: 1; background: var(--card); border-radius: .5rem;
  border-bottom: 3px solid transparent;
}
.views img { object-fit: contain; padding: .5rem; }
@media (prefers-color-scheme: dark) { .views img { filter: brightness(.88); } }
.views canvas { cursor: grab; touch-action: pan-y; user-select: none; }
.views canvas:active { cursor: grabbing; }
.views figcaption, .views img + figcaption {
  font-weight: 400; font-size: .82rem; line-height: 1.3; color: var(--quiet); margin: .3rem 0 0;
}
.views .own canvas, .views .own img { border-bottom-color: var(--s2); }
.views .class canvas, .views .class img { border-bottom-color: var(--s0); }
.views .other canvas, .views .other img { border-bottom-color: var(--s1); }
.views .own b { color: var(--s2); }
.views .class b { color: var(--s0); }
.views .other b { color: var(--s1); }
@media (min-width: 36rem) { .views:has(> :nth-child(3):last-child) canvas { aspect-ratio: 4 / 3; } }
"""

# Points are drawn from far to near in a few steps of depth, each of one colour: far ones are smaller and nearer to the
# colour of the page. A finger that moves up or down scrolls the page (touch-action), so it turns sideways alone.
SCRIPT = """
(() => {
  'use strict';
  const STEPS = 20, EYE = 4.5, YAW = 0.61, PITCH = 0.38, KEY = 0.12;
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const probe = document.createElement('canvas').getContext('2d');
  let colors = {};

  function rgb(name) {
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const hex = probe.fillStyle;
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  }

  function shade(role, step) {
    const key = role + step;
    if (!colors[key]) {
      const near = (step + 0.5) / STEPS, own = rgb('--cloud-' + role), back = rgb('--card');
      const share = (role === 'context' ? 0.6 : 1) * (0.3 + 0.7 * Math.min(1, near * 1.25));
      colors[key] = 'rgb(' + own.map((c, i) => Math.round(c * share + back[i] * (1 - share))).join(',') + ')';
    }
    return colors[key];
  }

  function unpack(canvas) {
    const text = atob(canvas.dataset.points), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const view = new DataView(bytes.buffer), points = new Float32Array(bytes.length / 2);
    for (let i = 0; i < points.length; i++) points[i] = view.getInt16(2 * i, true) / 32767;
    const parts = canvas.dataset.parts.split(' ').map((part) => part.split(':'));
    const roles = [];
    for (const [role, count] of parts) for (let i = 0; i < +count; i++) roles.push(role);
    return {canvas, points, roles, names: [...new Set(roles)]};
  }

  function draw(view, yaw, pitch) {
    const {canvas, points, roles, names} = view;
    const ratio = Math.min(window.devicePixelRatio || 1, 2.5);
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, width, height);
    const sy = Math.sin(yaw), cy = Math.cos(yaw), sp = Math.sin(pitch), cp = Math.cos(pitch);
    const half = Math.min(width, height) / 2, size = half * 0.019 * Math.sqrt(1024 / Math.max(roles.length, 400));
    const bins = Array.from({length: STEPS * names.length}, () => []);
    for (let i = 0; i < roles.length; i++) {
      const x = points[3 * i], y = points[3 * i + 1], z = points[3 * i + 2];
      const right = x * cy - z * sy, back = x * sy + z * cy;
      const up = y * cp - back * sp, toward = y * sp + back * cp;
      const scale = half * 1.06 * (EYE - 0.25) / (EYE - toward);
      const step = Math.max(0, Math.min(STEPS - 1, Math.floor((toward + 1) / 2 * STEPS)));
      bins[step * names.length + names.indexOf(roles[i])].push(width / 2 + right * scale, height / 2 - up * scale);
    }
    bins.forEach((places, bin) => {
      const step = Math.floor(bin / names.length), role = names[bin % names.length];
      const radius = Math.max(size * (0.55 + 0.9 * step / STEPS) * (role === 'context' ? 0.8 : 1), 0.5);
      context.fillStyle = shade(role, step);
      context.beginPath();
      for (let i = 0; i < places.length; i += 2) {
        context.moveTo(places[i] + radius, places[i + 1]);
        context.arc(places[i], places[i + 1], radius, 0, 2 * Math.PI);
      }
      context.fill();
    });
  }

  const rows = [...document.querySelectorAll('[data-clouds]')].map((element) => {
    const views = [...element.querySelectorAll('canvas')].map(unpack);
    const row = {yaw: YAW, pitch: PITCH, asked: false};
    row.draw = () => { row.asked = false; for (const view of views) draw(view, row.yaw, row.pitch); };
    const ask = () => { if (!row.asked) { row.asked = true; requestAnimationFrame(row.draw); } };
    const turn = (yaw, pitch) => {
      row.yaw += yaw;
      row.pitch = Math.max(-1.5, Math.min(1.5, row.pitch + pitch));
      ask();
    };
    const reset = () => { row.yaw = YAW; row.pitch = PITCH; ask(); };
    let last = null;
    for (const {canvas} of views) {
      canvas.addEventListener('pointerdown', (event) => {
        last = [event.clientX, event.clientY];
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener('pointermove', (event) => {
        if (!last) return;
        const speed = Math.PI / Math.max(canvas.clientWidth, 120);
        const down = event.pointerType === 'touch' ? 0 : event.clientY - last[1];
        turn((last[0] - event.clientX) * speed, down * speed);
        last = [event.clientX, event.clientY];
      });
      for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => { last = null; });
      canvas.addEventListener('dblclick', reset);
      new ResizeObserver(ask).observe(canvas);
    }
    element.addEventListener('keydown', (event) => {
      const turns = {ArrowLeft: [KEY, 0], ArrowRight: [-KEY, 0], ArrowUp: [0, -KEY], ArrowDown: [0, KEY]};
      if (turns[event.key]) turn(...turns[event.key]);
      else if (event.key === 'Home') reset();
      else return;
      event.preventDefault();
    });
    row.draw();
    return row;
  });
  const again = () => { colors = {}; for (const row of rows) row.draw(); };
  scheme.addEventListener('change', again);
})();
"""
