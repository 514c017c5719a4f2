import { init } from 'echarts';
import type { Figure } from '../arithmetic.ts';
import { formatted } from '../table.ts';
import type { Target, Unit } from '../targets.ts';

/** One bar, with the range of its rounds as a line across its end. */
export interface Bar {
  readonly label: string;
  readonly figure: Figure;
}

/** A line of points. */
export interface Line {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const WIDTH = 860;
const BAR_HEIGHT = 34;
const AROUND_BARS = 90;
const LINES_HEIGHT = 360;
const FONT = 'sans-serif';

/** Horizontal bars of one unit, as SVG. */
export function barChart(title: string, unit: Unit, bars: readonly Bar[], target?: Target): string {
  const marked =
    target === undefined
      ? {}
      : {
          markLine: {
            symbol: 'none',
            lineStyle: { color: '#c0392b', type: 'dashed' as const },
            label: {
              formatter: `${target.at === 'least' ? 'at least' : 'at most'} ${formatted(unit, target.value)}`,
            },
            data: [{ xAxis: target.value }],
          },
        };
  return svg(AROUND_BARS + BAR_HEIGHT * bars.length, {
    title: { text: title, left: 10, top: 8, textStyle: { fontSize: 14, fontFamily: FONT } },
    grid: { left: labelWidth(bars), right: 90, top: 52, bottom: 36 },
    xAxis: {
      type: 'value',
      axisLabel: { formatter: (value: number) => formatted(unit, value), hideOverlap: true },
    },
    yAxis: { type: 'category', inverse: true, data: bars.map(({ label }) => label) },
    series: [
      {
        type: 'bar',
        barMaxWidth: 20,
        itemStyle: { color: '#4a7fb5' },
        data: bars.map(({ figure }) => figure.median),
        label: {
          show: true,
          position: 'right',
          formatter: ({ dataIndex }: { dataIndex: number }) =>
            formatted(unit, bars[dataIndex]!.figure.median),
        },
        ...marked,
      },
      {
        type: 'custom',
        itemStyle: { color: '#1d2f40' },
        data: bars.map(({ figure }, index) => [figure.low, figure.high, index]),
        encode: { x: [0, 1], y: 2 },
        renderItem: (_: unknown, api: Api) => {
          const [from, y] = api.coord([api.value(0), api.value(2)]);
          const [to] = api.coord([api.value(1), api.value(2)]);
          return {
            type: 'line',
            shape: { x1: from, y1: y, x2: to, y2: y },
            style: { stroke: '#1d2f40', lineWidth: 2 },
          };
        },
      },
    ],
  });
}

// The library cannot measure text without a browser, and guesses less than most fonts take.
const labelWidth = (bars: readonly Bar[]) => 20 + 7.5 * Math.max(...bars.map(({ label }) => label.length));
const legendWidth = (lines: readonly Line[]) =>
  50 + 6.5 * Math.max(...lines.map(({ label }) => label.length));

interface Api {
  value(dimension: number): number;
  coord(point: readonly [x: number, y: number]): [number, number];
}

/** How lines are drawn. */
export interface LineAxes {
  readonly x: string;
  readonly y: Unit;
  /** Callers come in powers of four. */
  readonly logarithmicX?: boolean;
  readonly logarithmicY?: boolean;
}

/** Lines over one axis, as SVG. */
export function lineChart(title: string, axes: LineAxes, lines: readonly Line[]): string {
  return svg(LINES_HEIGHT, {
    title: { text: title, left: 10, top: 8, textStyle: { fontSize: 14, fontFamily: FONT } },
    legend: {
      orient: 'vertical',
      left: WIDTH - legendWidth(lines) + 12,
      top: 50,
      itemWidth: 16,
      textStyle: { fontSize: 11 },
    },
    grid: { left: 70, right: legendWidth(lines), top: 50, bottom: 50 },
    xAxis: {
      type: axes.logarithmicX ? 'log' : 'value',
      logBase: 4,
      name: axes.x,
      nameLocation: 'middle',
      nameGap: 24,
      axisLabel: { hideOverlap: true },
    },
    yAxis: {
      type: axes.logarithmicY ? 'log' : 'value',
      axisLabel: { formatter: (value: number) => formatted(axes.y, value) },
    },
    series: lines.map(({ label, points }) => ({
      type: 'line' as const,
      name: label,
      showSymbol: points.length <= 20,
      data: points.map((point) => [...point]),
    })),
  });
}

function svg(height: number, option: object): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({ backgroundColor: '#ffffff', animation: false, ...option });
  const text = chart.renderToSVGString();
  chart.dispose();
  return text;
}
