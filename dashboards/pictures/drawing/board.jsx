// One board: what is chosen, headings, and panels where the board's grid has them.
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import '@fontsource/inter/600.css';
import { createTheme, dateTime, ThemeContext } from '@grafana/data';
import { GlobalStyles, PanelChrome } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

import { framesOf } from './frames.js';
import { PANELS } from './panels.jsx';

const COLUMNS = 24;
const CELL = 30;
const GAP = 8;
const HEAD = 88;

window.draw = async (told) => {
  const theme = createTheme({ colors: { mode: 'dark' } });
  const timeRange = { from: dateTime(told.range.from), to: dateTime(told.range.to), raw: { from: '', to: '' } };
  const marks = told.annotations.flatMap(marksOf);
  const panels = await Promise.all(
    told.board.panels.map(async (panel) => {
      const answers = told.answers[panel.id] ?? [];
      return { panel, answers, frames: panel.type === 'row' ? [] : await framesOf(panel, answers, theme, told.chosen) };
    }),
  );
  const bottom = Math.max(...panels.map(({ panel }) => panel.gridPos.y + panel.gridPos.h));
  const height = HEAD + bottom * (CELL + GAP);
  document.body.style.cssText = `margin: 0; width: ${told.width}px; height: ${height}px; background: ${theme.colors.background.canvas}`;
  await Promise.all([400, 500, 600].map((weight) => document.fonts.load(`${weight} 14px Inter`)));
  const root = document.createElement('div');
  document.body.replaceChildren(root);
  createRoot(root).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Head told={told} theme={theme} />
      {panels.map((one) => (
        <Place key={one.panel.id} {...one} theme={theme} width={told.width} timeRange={timeRange} marks={marks} />
      ))}
    </ThemeContext.Provider>,
  );
  return height;
};

function Head({ told, theme }) {
  const { board, range, chosen } = told;
  const minutes = Math.round((range.to - range.from) / 60_000);
  const chip = { border: `1px solid ${theme.colors.border.medium}`, borderRadius: 2, padding: '3px 8px', marginLeft: -1 };
  const shown = board.templating.list.filter((one) => one.hide !== 2 && one.type !== 'datasource');
  const value = (one) => chosen[one.name] ?? (one.type === 'custom' ? one.current.text : 'All');
  return (
    <div style={{ padding: '12px 16px', color: theme.colors.text.primary, fontSize: 13 }}>
      <div style={{ display: 'flex', justifyContent: 'space-between', marginBottom: 10 }}>
        <span style={{ fontSize: 18, fontWeight: 500 }}>{board.title}</span>
        <span style={chip}>Last {minutes} minutes, UTC</span>
      </div>
      <div style={{ display: 'flex', gap: 12 }}>
        {shown.map((one) => (
          <span key={one.name}>
            <span style={{ ...chip, background: theme.colors.background.secondary }}>{one.label}</span>
            <span style={chip}>{value(one)}</span>
          </span>
        ))}
        <span style={{ flexGrow: 1 }} />
        {board.annotations.list.map((one) => (
          <span key={one.name} style={{ padding: '3px 0' }}>
            <span style={{ color: theme.visualization.getColorByName(one.iconColor) }}>▲</span> {one.name}
          </span>
        ))}
      </div>
    </div>
  );
}

function Place({ panel, frames, answers, theme, width, timeRange, marks }) {
  const { x, y, w, h } = panel.gridPos;
  const column = (width - 2 * GAP + GAP) / COLUMNS;
  const box = { left: GAP + x * column, top: HEAD + y * (CELL + GAP), width: w * column - GAP, height: h * (CELL + GAP) - GAP };
  const style = { position: 'absolute', ...box };
  if (panel.type === 'row') {
    return <div style={{ ...style, color: theme.colors.text.primary, fontWeight: 500, padding: '6px 8px' }}>⌄&ensp;{panel.title}</div>;
  }
  const Drawn = PANELS[panel.type];
  // These have a way of their own to say that there is nothing.
  const speaks = ['stat', 'bargauge'].includes(panel.type);
  const empty = !speaks && !frames.some((frame) => frame.length);
  return (
    <div style={style}>
      <PanelChrome width={box.width} height={box.height} title={panel.title} padding={panel.type === 'table' ? 'none' : 'md'}>
        {(innerWidth, innerHeight) =>
          empty ? (
            <Nothing text={panel.fieldConfig.defaults.noValue} theme={theme} height={innerHeight} />
          ) : (
            <Drawn
              panel={panel}
              frames={frames}
              answers={answers}
              theme={theme}
              width={innerWidth}
              height={innerHeight}
              timeRange={timeRange}
              marks={marks}
            />
          )
        }
      </PanelChrome>
    </div>
  );
}

function Nothing({ text = 'No data', theme, height }) {
  const middle = { display: 'flex', alignItems: 'center', justifyContent: 'center', height };
  return <div style={{ ...middle, color: theme.colors.text.secondary }}>{text}</div>;
}

/** Moments that follow each other without a pause are one mark with a length. */
function marksOf({ annotation, step, result }) {
  return result.flatMap((one) => {
    const marks = [];
    for (const [time, value] of one.values) {
      const last = marks.at(-1);
      if (!(Number.parseFloat(value) > 0)) {
        continue;
      }
      if (last && last.to + step * 1000 >= time * 1000) {
        last.to = time * 1000;
      } else {
        marks.push({ from: time * 1000, to: time * 1000, color: annotation.iconColor });
      }
    }
    return marks;
  });
}
