// What Prometheus answers becomes what Grafana's data source would hand to a panel.
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  displayNameOverrideProcessor,
  FieldConfigOptionsRegistry,
  FieldType,
  identityOverrideProcessor,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

standardTransformersRegistry.setInit(() =>
  [standardTransformers.mergeTransformer, standardTransformers.organizeFieldsTransformer].map((one) => ({
    id: one.id,
    name: one.name,
    transformation: () => Promise.resolve(one),
  })),
);

const STANDARD = ['unit', 'min', 'max', 'decimals', 'mappings', 'thresholds', 'color', 'links', 'noValue', 'filterable'];

/** The panel's frames with everything that its JSON says of fields. */
export async function framesOf(panel, answers, theme, variables) {
  const tables = answers.filter((one) => one.target.format === 'table').length;
  const raw = answers.flatMap((one) => (one.target.format === 'table' ? [table(one, tables)] : series(one)));
  const data = await lastValueFrom(transformDataFrame(panel.transformations ?? [], raw));
  const frames = applyFieldOverrides({
    data,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: registry(panel.fieldConfig),
    replaceVariables: (text) => text.replace(/\$\{?(\w+)\}?/g, (whole, name) => variables[name] ?? whole),
    theme,
    timeZone: 'utc',
  });
  cacheFieldDisplayNames(frames);
  return panel.type === 'timeseries' ? frames.map(finite) : frames;
}

/** A graph leaves out what is no number, as Grafana's own does. */
function finite(frame) {
  const fields = frame.fields.map((field) =>
    field.type === FieldType.number
      ? { ...field, values: field.values.map((value) => (Number.isFinite(value) ? value : null)) }
      : field,
  );
  return { ...frame, fields };
}

function series({ target, expr, step, result }) {
  return result.map((one) => {
    const points = one.values ?? [one.value];
    const { times, values } = one.values ? withGaps(points, step) : { times: [points[0][0] * 1000], values: [number(points[0][1])] };
    return {
      refId: target.refId,
      length: times.length,
      fields: [
        { name: 'Time', type: FieldType.time, values: times, config: { interval: step * 1000 } },
        {
          name: 'Value',
          type: FieldType.number,
          values,
          labels: labels(one.metric),
          config: { displayNameFromDS: legend(target, one.metric, expr) },
        },
      ],
    };
  });
}

/** A step without a point is a gap, not a straight line across it. */
function withGaps(points, step) {
  const times = [];
  const values = [];
  for (const [time, value] of points) {
    for (let due = times.at(-1) + step * 1000; due < time * 1000; due += step * 1000) {
      times.push(due);
      values.push(null);
    }
    times.push(time * 1000);
    values.push(number(value));
  }
  return { times, values };
}

function table({ target, result }, tables) {
  const names = [...new Set(result.flatMap((one) => Object.keys(one.metric)))].sort();
  const field = (name, type, values) => ({ name, type, values, config: {} });
  return {
    refId: target.refId,
    length: result.length,
    fields: [
      field('Time', FieldType.time, result.map((one) => one.value[0] * 1000)),
      ...names.map((name) => field(name, FieldType.string, result.map((one) => one.metric[name] ?? ''))),
      field(tables > 1 ? `Value #${target.refId}` : 'Value', FieldType.number, result.map((one) => number(one.value[1]))),
    ],
  };
}

function number(text) {
  return { '+Inf': Infinity, '-Inf': -Infinity }[text] ?? Number.parseFloat(text);
}

function labels(metric) {
  const { __name__: _, ...rest } = metric;
  return rest;
}

function legend(target, metric, expr) {
  if (target.legendFormat === '__auto') {
    return Object.keys(metric).length ? undefined : expr;
  }
  return target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => metric[name] ?? '');
}

function registry(fieldConfig) {
  const keys = fieldConfig.overrides.flatMap((one) => one.properties.map((property) => property.id));
  const custom = new Set([
    ...Object.keys(fieldConfig.defaults.custom ?? {}),
    ...keys.filter((key) => key.startsWith('custom.')).map((key) => key.slice('custom.'.length)),
  ]);
  const item = (id, path, isCustom, process) => ({ id, path, name: id, isCustom, process, shouldApply: () => true, override: () => null, editor: () => null });
  return new FieldConfigOptionsRegistry(() => [
    item('displayName', 'displayName', false, displayNameOverrideProcessor),
    ...STANDARD.map((id) => item(id, id, false, identityOverrideProcessor)),
    ...[...custom].map((id) => item(`custom.${id}`, id, true, identityOverrideProcessor)),
  ]);
}
