// Each kind of panel, drawn by Grafana's own library where it exports one.
import {
  FieldType,
  formattedValueToString,
  getDisplayValueAlignmentFactors,
  getFieldDisplayName,
  getFieldDisplayValues,
  VizOrientation,
} from '@grafana/data';
import { AxisPlacement, ScaleDirection, ScaleOrientation, VisibilityMode } from '@grafana/schema';
import { BarGauge, BigValue, TimeSeries, UPlotChart, UPlotConfigBuilder, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const EXEMPLAR = '#e0b400';
const ROW_LABEL_MOST = 220;

export const PANELS = { timeseries: Lines, stat: Numbers, bargauge: Bars, table: Rows, 'state-timeline': States };

function Lines({ frames, panel, width, height, timeRange, marks, answers, theme }) {
  const exemplars = answers.flatMap((answer) => highest(answer.exemplars, answer.step));
  const dress = dressOnce((u) => {
    drawMarks(u, marks, theme);
    drawExemplars(u, exemplars);
  });
  return (
    <TimeSeries frames={frames} width={width} height={height} timeRange={timeRange} timeZone="utc" legend={panel.options.legend}>
      {(builder) => dress(builder)}
    </TimeSeries>
  );
}

function Numbers({ frames, panel, width, height, theme }) {
  const { options } = panel;
  return (
    <VizRepeater
      getValues={() => displayed(frames, panel, theme)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, width, height, count }) => (
        <BigValue
          value={value.display}
          count={count}
          width={width}
          height={height}
          theme={theme}
          alignmentFactors={alignmentFactors}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode ?? 'auto'}
          textMode={options.textMode ?? 'auto'}
          text={options.text ?? {}}
          disableWideLayout={options.wideLayout === false}
        />
      )}
      width={width}
      height={height}
      source={frames}
      itemSpacing={3}
      renderCounter={0}
      autoGrid
      orientation={options.orientation || 'auto'}
    />
  );
}

function Bars({ frames, panel, width, height, theme }) {
  const { options } = panel;
  return (
    <VizRepeater
      getValues={() => displayed(frames, panel, theme)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, width, height, orientation }) => (
        <BarGauge
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          width={width}
          height={height}
          theme={theme}
          orientation={orientation}
          alignmentFactors={alignmentFactors}
          displayMode={options.displayMode ?? 'gradient'}
          valueDisplayMode={options.valueMode ?? 'color'}
          namePlacement={options.namePlacement ?? 'auto'}
          showUnfilled={options.showUnfilled ?? true}
          text={options.text ?? {}}
          itemSpacing={8}
          lcdCellWidth={12}
        />
      )}
      width={width}
      height={height}
      source={frames}
      itemSpacing={8}
      renderCounter={0}
      minVizWidth={options.minVizWidth ?? 8}
      minVizHeight={options.minVizHeight ?? 16}
      maxVizHeight={options.maxVizHeight ?? 300}
      orientation={options.orientation ?? VizOrientation.Auto}
    />
  );
}

function Rows({ frames, panel, width, height, timeRange }) {
  return (
    <TableNG
      data={frames[0]}
      width={width}
      height={height}
      timeRange={timeRange}
      sortBy={panel.options.sortBy}
      noHeader={panel.options.showHeader === false}
      cellHeight={panel.options.cellHeight ?? 'sm'}
      fieldConfig={panel.fieldConfig}
      structureRev={1}
    />
  );
}

// Grafana keeps its state timeline to itself: this one has the same axis, colours and words, and no legend.
function States({ frames, panel, width, height, timeRange, marks, theme }) {
  const rows = frames.map((frame) => {
    const field = frame.fields.find((one) => one.type === FieldType.number);
    return { name: getFieldDisplayName(field, frame, frames), spans: spansOf(frame, field) };
  });
  const builder = new UPlotConfigBuilder('utc');
  builder.addScale({
    scaleKey: 'x',
    isTime: true,
    orientation: ScaleOrientation.Horizontal,
    direction: ScaleDirection.Right,
    range: () => [timeRange.from.valueOf(), timeRange.to.valueOf()],
  });
  builder.addAxis({ scaleKey: 'x', isTime: true, placement: AxisPlacement.Bottom, timeZone: 'utc', theme, grid: { show: false } });
  builder.addScale({
    scaleKey: 'y',
    orientation: ScaleOrientation.Vertical,
    direction: ScaleDirection.Down,
    range: () => [0, rows.length],
  });
  builder.addAxis({
    scaleKey: 'y',
    placement: AxisPlacement.Left,
    theme,
    size: Math.min(ROW_LABEL_MOST, 20 + 7 * Math.max(...rows.map((row) => row.name.length))),
    splits: () => rows.map((_, index) => index + 0.5),
    values: () => rows.map((row) => row.name),
    grid: { show: false },
    ticks: { show: false },
  });
  builder.addSeries({ scaleKey: 'y', pathBuilder: () => null, pointsBuilder: () => null, theme, show: true });
  builder.addHook('draw', (u) => {
    drawStates(u, rows, panel, theme);
    drawMarks(u, marks, theme);
  });
  const edges = [timeRange.from.valueOf(), timeRange.to.valueOf()];
  return <UPlotChart config={builder} data={[edges, [0, rows.length]]} width={width} height={height} />;
}

function spansOf(frame, field) {
  const times = frame.fields[0].values;
  const step = frame.fields[0].config.interval;
  const spans = [];
  field.values.forEach((value, index) => {
    const last = spans.at(-1);
    if (value === null) {
      return;
    }
    if (last && last.value === value && last.to === times[index]) {
      last.to += step;
    } else {
      spans.push({ value, from: times[index], to: times[index] + step, ...field.display(value) });
    }
  });
  return spans;
}

function drawStates(u, rows, panel, theme) {
  const { ctx } = u;
  const { rowHeight = 0.9, showValue } = panel.options;
  const right = u.bbox.left + u.bbox.width;
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px ${theme.typography.fontFamily}`;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'center';
  rows.forEach((row, index) => {
    const middle = u.valToPos(index + 0.5, 'y', true);
    const tall = (u.bbox.height / rows.length) * rowHeight;
    for (const span of row.spans) {
      const left = Math.max(u.bbox.left, u.valToPos(span.from, 'x', true));
      const wide = Math.min(right, u.valToPos(span.to, 'x', true)) - left;
      ctx.globalAlpha = (panel.fieldConfig.defaults.custom?.fillOpacity ?? 70) / 100;
      ctx.fillStyle = span.color;
      ctx.fillRect(left, middle - tall / 2, wide, tall);
      ctx.globalAlpha = 1;
      const text = formattedValueToString(span);
      if (showValue === VisibilityMode.Always || (showValue === VisibilityMode.Auto && ctx.measureText(text).width < wide - 6)) {
        ctx.fillStyle = theme.colors.getContrastText(span.color, 3);
        ctx.fillText(text, left + wide / 2, middle);
      }
    }
  });
  ctx.restore();
}

/** Annotations: a dashed line, and a triangle at the axis. */
function drawMarks(u, marks, theme) {
  const { ctx, bbox } = u;
  ctx.save();
  for (const mark of marks) {
    const x = u.valToPos(mark.from, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) {
      continue;
    }
    const color = theme.visualization.getColorByName(mark.color);
    const bottom = bbox.top + bbox.height;
    ctx.strokeStyle = ctx.fillStyle = color;
    ctx.setLineDash([4, 4]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bottom);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x, bottom - 1);
    ctx.lineTo(x - 5, bottom + 5);
    ctx.lineTo(x + 5, bottom + 5);
    ctx.fill();
    if (mark.to > mark.from) {
      ctx.fillRect(x, bottom, Math.min(u.valToPos(mark.to, 'x', true), bbox.left + bbox.width) - x, 3);
    }
  }
  ctx.restore();
}

function drawExemplars(u, exemplars) {
  const { scale } = u.series[1];
  const { ctx, bbox } = u;
  ctx.save();
  ctx.fillStyle = EXEMPLAR;
  for (const { time, value } of exemplars) {
    const x = u.valToPos(time, 'x', true);
    const y = u.valToPos(value, scale, true);
    if (x < bbox.left || x > bbox.left + bbox.width || y < bbox.top || y > bbox.top + bbox.height) {
      continue;
    }
    ctx.beginPath();
    ctx.moveTo(x, y - 4);
    ctx.lineTo(x + 4, y);
    ctx.lineTo(x, y + 4);
    ctx.lineTo(x - 4, y);
    ctx.fill();
  }
  ctx.restore();
}

/** Of the exemplars of a step, the slowest. Grafana thins them out, too. */
function highest(exemplars, step) {
  const kept = new Map();
  for (const one of exemplars) {
    const value = Number.parseFloat(one.value);
    const slot = Math.floor(one.timestamp / (step * 2));
    if (!(kept.get(slot)?.value >= value)) {
      kept.set(slot, { time: one.timestamp * 1000, value });
    }
  }
  return [...kept.values()];
}

/** The plot's configuration lives on over renders, so that it is dressed only once. */
function dressOnce(draw) {
  const dressed = new WeakSet();
  return (builder) => {
    if (!dressed.has(builder)) {
      dressed.add(builder);
      builder.addHook('draw', draw);
    }
    return null;
  };
}

function displayed(frames, panel, theme) {
  return getFieldDisplayValues({
    data: frames,
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
}
