/** Reads functions that handle deliveries, and functions made filters by `filter(level, fn)`. */
import { ts } from 'ts-morph';
import { FRAMES } from './classes.ts';
import type { CallbackInfo, DataTypeInfo, Declared, FilterInfo } from './info.ts';
import type { MarkReader } from './marks.ts';
import { type Module, type Modules, type Resolved, spanOf } from './modules.ts';
import type { Report } from './report.ts';
import { checkLevels, type FunctionNode, mayReturn, returnsValue, type SignatureReader } from './signatures.ts';

export interface FunctionReader {
  callback(declared: Declared, resolved: Resolved): CallbackInfo | undefined;
  /** Of a variable initialised with `filter(level, fn)`; undefined when it is not one, or is broken and reported. */
  filter(declared: Declared, module: Module, call: ts.CallExpression): FilterInfo | undefined;
}

export function createFunctionReader(
  modules: Modules,
  marks: MarkReader,
  signatures: SignatureReader,
  report: Report,
  known: (name: string) => DataTypeInfo | undefined,
): FunctionReader {
  function callback(declared: Declared, { module, node }: Resolved): CallbackInfo | undefined {
    const fn = functionOf(node);
    if (fn === undefined) return undefined;
    return {
      ...declared,
      kind: 'function',
      params: signatures.params(module, fn),
      methods: [],
      streaming: returnsValue(fn),
    };
  }

  function filter(declared: Declared, module: Module, call: ts.CallExpression): FilterInfo | undefined {
    const place = { file: module.source, span: spanOf(call) };
    const [level, fn] = call.arguments;
    if (level === undefined || fn === undefined) {
      report.error(
        'bad-filter',
        place,
        '`filter` takes a level and a function',
        "filter('L4FirstPacket', (ft: FiveTuple) => …)",
      );
      return undefined;
    }
    const levels = marks.levels(module, [level]);
    const resolved = ts.isIdentifier(fn) ? modules.resolve(module, fn.text) : undefined;
    const node = resolved === undefined ? asFunction(fn) : functionOf(resolved.node);
    const from = resolved?.module ?? module;
    if (node === undefined) {
      const at = { file: module.source, span: spanOf(fn) };
      report.error('bad-filter', at, 'the second argument of `filter` is a function, or the name of one');
      return undefined;
    }
    if (!mayReturn(node)) {
      const hint = 'return Accept, Drop or Continue';
      report.error('filter-returns-nothing', place, `the filter \`${declared.name}\` returns nothing`, hint);
    }
    if (levels.length > 1 && levels.includes('Packet')) {
      report.error('bad-filter', { file: module.source, span: spanOf(level) }, FRAMES, 'make it two filters');
    }
    const params = signatures.params(from, node);
    checkLevels(report, from, params, levels, known);
    return levels.length === 0 ? undefined : { ...declared, kind: 'function', levels, params, methods: [] };
  }

  return { callback, filter };
}

function functionOf(node: ts.Node): FunctionNode | undefined {
  if (ts.isFunctionDeclaration(node)) return node;
  if (ts.isVariableDeclaration(node) && node.initializer !== undefined) return asFunction(node.initializer);
  return undefined;
}

function asFunction(node: ts.Expression): FunctionNode | undefined {
  if (ts.isParenthesizedExpression(node) || ts.isSatisfiesExpression(node)) return asFunction(node.expression);
  return ts.isArrowFunction(node) || ts.isFunctionExpression(node) ? node : undefined;
}
