/** The outline of a plan as text, as a Graphviz graph and as a Mermaid flow chart. */
import { commentText } from '../emit/text.ts';
import type { Item } from '../plan/outline.ts';

/** Indented text. */
export function outlineText(stages: readonly Item[]): string {
  const lines: string[] = [];
  const add = (item: Item, depth: number): void => {
    const words =
      item.kind === 'test' && item.text !== 'else' && !item.text.startsWith('else ') ? `if ${item.text}` : item.text;
    const hits = item.hits === undefined ? '' : `  [${item.hits.toLocaleString('en')}]`;
    lines.push('  '.repeat(depth) + commentText(words.replace(/^else (?=.)/, 'else if ')) + hits);
    for (const inner of item.items) add(inner, depth + 1);
  };
  for (const stage of stages) {
    lines.push('');
    add(stage, 0);
  }
  return `${lines.slice(1).join('\n')}\n`;
}

interface Graph {
  readonly nodes: { readonly id: string; readonly item: Item }[];
  readonly edges: { readonly from: string; readonly to: string }[];
}

function graphOf(stage: Item, prefix: string): Graph {
  const graph: Graph = { nodes: [], edges: [] };
  const add = (item: Item, parent: string | undefined): void => {
    const id = `${prefix}_${graph.nodes.length}`;
    graph.nodes.push({ id, item });
    if (parent !== undefined) graph.edges.push({ from: parent, to: id });
    for (const inner of item.items) add(inner, id);
  };
  add(stage, undefined);
  return graph;
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
const quoted = (text: string): string => `"${escaped(commentText(text))}"`;

/** Width of a box, in characters. */
const BOX = 44;

/** A label of several lines where one would be too long, broken between words. */
function label(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of commentText(text).split(' ')) {
    if (line !== '' && line.length + word.length >= BOX) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return `"${[...lines, line].map(escaped).join('\\n')}"`;
}

const SHAPES = { stage: 'box, style=bold', test: 'diamond', result: 'box, style=rounded', note: 'plaintext' } as const;

/** Graphviz: `dot -Tsvg` draws it. */
export function outlineDot(name: string, stages: readonly Item[]): string {
  const lines = [`digraph ${quoted(name)} {`, '  rankdir=LR', '  node [fontname="sans-serif", fontsize=11]'];
  for (const [i, stage] of stages.entries()) {
    const { nodes, edges } = graphOf(stage, `s${i}`);
    lines.push(`  subgraph cluster_${i} {`);
    for (const { id, item } of nodes) lines.push(`    ${id} [label=${label(item.text)}, shape=${SHAPES[item.kind]}]`);
    for (const { from, to } of edges) lines.push(`    ${from} -> ${to}`);
    lines.push('  }');
  }
  return `${lines.join('\n')}\n}\n`;
}

/** The same graph as a picture, drawn by Graphviz itself, compiled to WebAssembly; loaded only when it is asked for. */
export async function outlineSvg(name: string, stages: readonly Item[]): Promise<string> {
  const { instance } = await import('@viz-js/viz');
  const viz = await instance();
  return viz.renderString(outlineDot(name, stages), { format: 'svg' });
}

/** Mermaid: Markdown viewers draw it. */
export function outlineMermaid(stages: readonly Item[]): string {
  const entities = (text: string): string =>
    commentText(text).replace(/["#<>&`\\[\]{}|]/g, (char) => `#${char.charCodeAt(0)};`);
  const lines = ['flowchart LR'];
  for (const [i, stage] of stages.entries()) {
    const { nodes, edges } = graphOf(stage, `s${i}`);
    lines.push(`  subgraph stage${i} [" "]`);
    for (const { id, item } of nodes) {
      const text = `"${entities(item.text)}"`;
      lines.push(`    ${id}${item.kind === 'test' ? `{${text}}` : item.kind === 'result' ? `(${text})` : `[${text}]`}`);
    }
    for (const { from, to } of edges) lines.push(`    ${from} --> ${to}`);
    lines.push('  end');
  }
  return `${lines.join('\n')}\n`;
}
