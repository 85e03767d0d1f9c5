// A plot as SVG: lines with the range of their rounds, over a logarithmic x. It reads on a light and on a dark page.

import type { Spread } from "./spread.ts";

export interface Series {
  name: string;
  points: { x: number; y: Spread }[];
}

export interface Drawing {
  title: string;
  x: string;
  y: string;
  series: Series[];
}

const [WIDTH, HEIGHT] = [720, 360];
const AREA = { left: 64, right: 24, top: 64, bottom: 52 };
const COLORS = ["#2f81f7", "#d2691e", "#3fa34d", "#8957e5"];
const LINES_OF_GRID = 5;

const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const fixed = (value: number) => value.toFixed(1);

/** The next of 1, 2, 5, 10, 20, 50, … above a number. */
function round(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= value * 0.999) ?? value;
}

export function svg({ title, x, y, series }: Drawing): string {
  const points = series.flatMap((line) => line.points);
  const xs = [...new Set(points.map((point) => point.x))].toSorted((one, other) => one - other);
  const [lowest = 1, highest = 10] = [xs[0], xs.at(-1)];
  const step = round(Math.max(...points.map((point) => point.y.highest), 1e-9) / LINES_OF_GRID);
  const top = step * LINES_OF_GRID;
  const decades = Math.log10(highest / lowest) || 1;
  const atX = (value: number) => AREA.left + (Math.log10(value / lowest) / decades) * (WIDTH - AREA.left - AREA.right);
  const atY = (value: number) => HEIGHT - AREA.bottom - (value / top) * (HEIGHT - AREA.top - AREA.bottom);

  const grid = Array.from({ length: LINES_OF_GRID + 1 }, (_, index) => {
    const at = atY(index * step);
    return `<path class="grid" d="M${AREA.left} ${fixed(at)}H${WIDTH - AREA.right}"/><text x="${AREA.left - 8}" y="${fixed(at + 4)}" text-anchor="end">${Number((index * step).toPrecision(3))}</text>`;
  });
  const ticks = xs.map((value) => `<text x="${fixed(atX(value))}" y="${HEIGHT - AREA.bottom + 20}" text-anchor="middle">${value.toLocaleString("en")}</text>`);
  const lines = series.map(({ name, points }, index) => {
    const color = COLORS[index % COLORS.length];
    const ranges = points.map((point) => `M${fixed(atX(point.x))} ${fixed(atY(point.y.lowest))}V${fixed(atY(point.y.highest))}`).join("");
    const path = points.map((point, at) => `${at ? "L" : "M"}${fixed(atX(point.x))} ${fixed(atY(point.y.median))}`).join("");
    const dots = points.map((point) => `<circle cx="${fixed(atX(point.x))}" cy="${fixed(atY(point.y.median))}" r="3.5" fill="${color}"/>`).join("");
    const legend = AREA.left + index * 200;
    return `<g stroke="${color}" fill="none"><path d="${ranges}" stroke-width="6" opacity=".25"/><path d="${path}" stroke-width="2"/></g>${dots}
<circle cx="${legend + 4}" cy="44" r="4" fill="${color}"/><text x="${legend + 14}" y="48">${escape(name)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escape(title)}">
<style>text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-size:15px;font-weight:600}.grid{stroke:#8c959f;stroke-opacity:.35}@media(prefers-color-scheme:dark){text{fill:#adbac7}}</style>
<text class="title" x="${AREA.left}" y="24">${escape(title)}</text>
${[...grid, ...ticks, ...lines].join("\n")}
<text x="${(AREA.left + WIDTH - AREA.right) / 2}" y="${HEIGHT - 12}" text-anchor="middle">${escape(x)}</text>
<text transform="translate(16 ${(AREA.top + HEIGHT - AREA.bottom) / 2}) rotate(-90)" text-anchor="middle">${escape(y)}</text>
</svg>
`;
}
