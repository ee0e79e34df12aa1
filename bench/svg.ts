/**
 * Charts. A topic's figures as bars: a group per comparison, a bar per runtime, on a logarithmic scale; the line is the
 * target, and a bar that ends before it meets the target. How a time grows as lines, over a logarithmic scale.
 *
 * @module
 */

/** A comparison, and each runtime's figure. */
export interface Group {
  readonly name: string;
  readonly unit: string;
  readonly target?: number;
  readonly bars: readonly { readonly runtime: string; readonly value: number }[];
}

const COLOURS = ["#8cc084", "#5aa469", "#2f7d4f", "#1b5138", "#7a9e9f", "#e3a857", "#4f6d9a", "#b0413e"];
const LABELS = 470;
const CHART = 480;
const BAR = 7;
const GAP = 10;
const TOP = 56;

/** The decades that the chart shows. */
const [LEAST, MOST] = [0.01, 100];

function place(value: number): number {
  const share = (Math.log10(value) - Math.log10(LEAST)) / (Math.log10(MOST) - Math.log10(LEAST));
  return LABELS + CHART * Math.min(1, Math.max(0, share));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

function label(x: number, y: number, content: string, anchor = "start"): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

function bar(colour: string, y: number, title: string, value: number): string {
  const width = Math.max(1, place(value) - LABELS).toFixed(1);
  const shape = `x="${LABELS}" y="${y}" width="${width}" height="${BAR - 1}" fill="${colour}"`;
  return `<rect ${shape}><title>${escaped(title)}</title></rect>`;
}

function targetLine(x: string, top: number, bottom: number): string {
  return `<line x1="${x}" x2="${x}" y1="${top}" y2="${bottom}" stroke="#c0392b" stroke-width="2"/>`;
}

function group({ name, unit, target, bars }: Group, top: number, runtimes: readonly string[]): string[] {
  const height = bars.length * BAR;
  return [
    label(LABELS - 8, top + height / 2 + 4, name, "end"),
    ...bars.map(({ runtime, value }, index) => {
      const colour = COLOURS[runtimes.indexOf(runtime) % COLOURS.length] as string;
      return bar(colour, top + index * BAR, `${name}, ${runtime}: ${value.toPrecision(3)} ${unit}`, value);
    }),
    ...(target === undefined ? [] : [targetLine(place(target).toFixed(1), top - 3, top + height + 2)]),
  ];
}

function axis(height: number): string[] {
  return [0.01, 0.1, 1, 10, 100].flatMap((value) => {
    const x = place(value).toFixed(1);
    const line = `<line x1="${x}" x2="${x}" y1="${TOP - 8}" y2="${height - 8}" stroke="#ddd"/>`;
    return [line, label(Number(x), TOP - 14, String(value), "middle")];
  });
}

function legend(runtimes: readonly string[]): string[] {
  return runtimes.flatMap((runtime, index) => {
    const x = 10 + index * 110;
    const colour = COLOURS[index % COLOURS.length];
    return [`<rect x="${x}" y="12" width="10" height="10" fill="${colour}"/>`, label(x + 15, 21, runtime)];
  });
}

/** The chart, as the text of an SVG file. */
export function barChart(groups: readonly Group[], runtimes: readonly string[]): string {
  const drawn: string[] = [];
  let top = TOP;
  for (const each of groups) {
    drawn.push(...group(each, top, runtimes));
    top += Math.max(2, each.bars.length) * BAR + GAP;
  }
  const size = `width="${LABELS + CHART + 20}" height="${top}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">`,
    `<rect ${size} fill="#fff"/>`,
    ...legend(runtimes),
    ...axis(top),
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

/** A time, or another value, by the quantity on which it may depend. */
export interface Line {
  readonly name: string;
  readonly points: readonly { readonly at: number; readonly value: number }[];
}

const [WIDTH, HEIGHT, LEFT] = [880, 420, 50];

/** 1024 as "1 Ki", 100000 as "100 k". */
function short(value: number): string {
  const power = Math.log2(value);
  if (power >= 10 && Number.isInteger(power)) return `${2 ** (power % 10)} ${"KMGT"[Math.floor(power / 10) - 1]}i`;
  return value >= 1000 ? `${value / 1000} k` : String(value);
}

/** The chart of lines, as the text of an SVG file. The values begin at 0. */
export function lineChart(title: string, lines: readonly Line[]): string {
  const points = lines.flatMap((line) => line.points);
  const ats = [...new Set(points.map(({ at }) => at))].sort((one, other) => one - other);
  const [least, most] = [Math.log(ats[0] ?? 1), Math.log(ats.at(-1) ?? 2)];
  const top = Math.max(1, ...points.map(({ value }) => value));
  const x = (at: number) => (LEFT + ((Math.log(at) - least) / (most - least || 1)) * (WIDTH - 2 * LEFT)).toFixed(1);
  const y = (value: number) => (HEIGHT - 40 - (value / top) * (HEIGHT - 110)).toFixed(1);
  const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => share * top);
  const size = `width="${WIDTH}" height="${HEIGHT}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">`,
    `<rect ${size} fill="#fff"/>`,
    ...legend(lines.map(({ name }) => name)),
    label(10, 46, title),
    ...steps.flatMap((value) => [
      `<line x1="${LEFT}" x2="${WIDTH - LEFT}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>`,
      label(LEFT - 6, Number(y(value)) + 4, value.toPrecision(2), "end"),
    ]),
    ...ats.map((at) => label(Number(x(at)), HEIGHT - 20, short(at), "middle")),
    ...lines.map(({ points }, index) => {
      const path = points.map(({ at, value }) => `${x(at)},${y(value)}`).join(" ");
      return `<polyline points="${path}" fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="2"/>`;
    }),
    "</svg>\n",
  ].join("\n");
}
