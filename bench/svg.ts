/**
 * A topic's figures as a bar chart: a group of bars for what is compared, a bar for each runtime, on a logarithmic scale. The
 * line is the target; a bar that ends before it meets the target.
 *
 * @module
 */

/** What is compared, and each runtime's figure. */
export interface Group {
  readonly name: string;
  readonly unit: string;
  readonly target: number;
  readonly bars: readonly { readonly runtime: string; readonly value: number }[];
}

const COLOURS = ["#8cc084", "#5aa469", "#2f7d4f", "#1b5138", "#7a9e9f", "#e3a857", "#4f6d9a"];
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

function group({ name, unit, target, bars }: Group, top: number, runtimes: readonly string[]): string[] {
  const height = bars.length * BAR;
  const at = place(target).toFixed(1);
  return [
    label(LABELS - 8, top + height / 2 + 4, name, "end"),
    ...bars.map(({ runtime, value }, index) => {
      const colour = COLOURS[runtimes.indexOf(runtime) % COLOURS.length] as string;
      return bar(colour, top + index * BAR, `${name}, ${runtime}: ${value.toPrecision(3)} ${unit}`, value);
    }),
    `<line x1="${at}" x2="${at}" y1="${top - 3}" y2="${top + height + 2}" stroke="#c0392b" stroke-width="2"/>`,
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
