import * as echarts from 'echarts';
import type { Series } from './samples.ts';
import type { Blow } from './weather.ts';

const PANELS = [
  ['rssMiB', 'memory, MiB RSS'],
  ['heapMiB', 'heap used, MiB'],
  ['descriptors', 'open descriptors'],
  ['handles', 'handles of Node'],
  ['dirty', 'dirty documents'],
] as const;
const PANEL_HEIGHT = 150;

/** Draws what the processes held over time, one panel each, with the blows as vertical lines. */
export function chartOf(title: string, series: Series, blows: readonly Blow[]): string {
  const chart = echarts.init(null, null, {
    renderer: 'svg',
    ssr: true,
    width: 960,
    height: 90 + PANELS.length * PANEL_HEIGHT,
  });
  const top = (index: number) => 70 + index * PANEL_HEIGHT;
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: { text: title, left: 16, top: 10, textStyle: { fontSize: 15 } },
    grid: PANELS.map((_, index) => ({
      left: 70,
      right: 24,
      top: top(index) + 16,
      height: PANEL_HEIGHT - 52,
    })),
    xAxis: PANELS.map((_, gridIndex) => ({
      gridIndex,
      type: 'value',
      min: 0,
      max: 'dataMax',
      axisLabel: { formatter: (seconds: number) => `${Math.round(seconds / 6) / 10} min` },
    })),
    yAxis: PANELS.map(([, name], gridIndex) => ({
      gridIndex,
      type: 'value',
      name,
      nameTextStyle: { align: 'left' },
      min: 0,
      splitNumber: 3,
    })),
    series: PANELS.flatMap(([field], index) =>
      Object.entries(series).map(([name, samples], number) => ({
        name,
        type: 'line',
        xAxisIndex: index,
        yAxisIndex: index,
        showSymbol: false,
        lineStyle: { width: 1.2 },
        // A gap where the process was not the same.
        data: samples.flatMap((sample, at) => [
          ...(at > 0 && samples[at - 1]!.start !== sample.start ? [[sample.at, null]] : []),
          [sample.at, sample[field]],
        ]),
        markLine:
          number > 0
            ? undefined
            : {
                silent: true,
                symbol: 'none',
                label: { show: false },
                lineStyle: { color: '#c33', type: 'dotted', width: 1 },
                data: blows.map(({ at }) => ({ xAxis: at })),
              },
      })),
    ),
  } as unknown as echarts.EChartsCoreOption);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
