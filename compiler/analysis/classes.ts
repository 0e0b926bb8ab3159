/** Reads classes marked `@datatype`, `@callback` and `@filter` into plain data. */
import { ts } from 'ts-morph';
import { BUILT_IN_KINDS, SESSION_TYPES } from './built-ins.ts';
import { type ColumnClass, columnClass } from './column-class.ts';
import { compileColumns } from './columns.ts';
import { specifier } from './host.ts';
import {
  type CallbackInfo,
  type DataTypeInfo,
  type Declared,
  type FilterInfo,
  LEVELS,
  type Level,
  type UpdateMethod,
} from './info.ts';
import type { Mark, MarkReader } from './marks.ts';
import { hasModifier, type Module, type Modules, type Resolved, RUNTIME_MODULE, spanOf } from './modules.ts';
import type { Report } from './report.ts';
import { checkLevels, mayReturn, type ParamInfo, returnsValue, type SignatureReader } from './signatures.ts';

export interface ClassReader {
  dataType(resolved: Resolved, mark: Mark | undefined): DataTypeInfo | undefined;
  /** Undefined, and reported, when it has no method that is ever called. */
  callback(declared: Declared, resolved: Resolved): CallbackInfo | undefined;
  /** The static methods of a class that are filters by themselves. */
  staticFilters(declared: Declared, resolved: Resolved): readonly FilterInfo[];
  /** Likewise, of a class marked as one. */
  filter(declared: Declared, resolved: Resolved, mark: Mark): FilterInfo | undefined;
  /** Whether a declaration is a data type, without reading it in full. */
  isDataType(resolved: Resolved): boolean;
  /** Our mark on a class, if it has one. */
  mark(resolved: Resolved): Mark | undefined;
  /** The class behind a data type of kind `columns`. */
  columnsOf(info: DataTypeInfo): ColumnClass | undefined;
}

/** What reads classes, and knows data types by name once they are read. */
export interface ClassContext {
  readonly modules: Modules;
  readonly marks: MarkReader;
  readonly signatures: SignatureReader;
  readonly report: Report;
  /** Folder of the filter file: generated modules lie there. */
  readonly folder: string;
  known(name: string): DataTypeInfo | undefined;
}

export function createClassReader(context: ClassContext): ClassReader {
  const { modules, marks, signatures, report, folder } = context;
  const columnClasses = new WeakMap<DataTypeInfo, ColumnClass>();

  function mark({ module, node }: Resolved): Mark | undefined {
    return ts.isClassDeclaration(node) ? marks.read(module, node)[0] : undefined;
  }

  function isDataType(resolved: Resolved): boolean {
    const known = BUILT_IN_KINDS[resolved.name] !== undefined || SESSION_TYPES[resolved.name] !== undefined;
    return (resolved.module.builtIn && known) || mark(resolved)?.name === 'datatype';
  }

  function dataType(resolved: Resolved, mark: Mark | undefined): DataTypeInfo | undefined {
    const { module, node } = resolved;
    const declared = declaration(resolved);
    if (module.builtIn) {
      const own = builtIn(declared, module, mark);
      if (own !== undefined) return own;
    }
    if (mark?.name !== 'datatype' || !ts.isClassDeclaration(node)) return undefined;
    const place = { file: module.source, span: spanOf(node.name ?? node) };
    if (!module.exports.has(declared.name)) {
      report.error(
        'not-exported',
        place,
        `\`${declared.name}\` must be exported, so that the generated module can use it`,
      );
    }
    const options = marks.options(module, mark, ['expensive', 'at']);
    const updates = methods(module, node, 'datatype');
    const made = constructorOf(node);
    const params = made === undefined ? [] : signatures.params(module, made);
    if (updates.length === 0 && params.length === 0) {
      const hint = "mark the method that updates it `@on('InL4Conn')`, or give it a constructor with parameters";
      report.error('never-updated', place, `nothing ever updates \`${declared.name}\``, hint);
    }
    const base = {
      ...declared,
      availableAt: atOption(module, options) ?? wholeAt(params, updates),
      updates,
      expensive: options.get('expensive')?.kind === ts.SyntaxKind.TrueKeyword,
    };
    const columns = columnClass(modules, module, node, updates);
    if ('reason' in columns) {
      const notColumns =
        columns.span === undefined ? {} : { notColumns: { reason: columns.reason, span: columns.span } };
      return { ...base, kind: 'object', params, ...notColumns };
    }
    // Whether its methods can be compiled decides the kind.
    const compiled = compileColumns(columns, { base: 0, rareBase: 0, claim: (name) => name });
    if ('reason' in compiled) return { ...base, kind: 'object', params, notColumns: compiled };
    const info: DataTypeInfo = { ...base, kind: 'columns', columns: columns.fields, followers: columns.followers };
    columnClasses.set(info, columns);
    return info;
  }

  function builtIn(declared: Declared, module: Module, mark: Mark | undefined): DataTypeInfo | undefined {
    const options = mark?.name === 'datatype' ? marks.options(module, mark, OPTIONS) : new Map<string, ts.Expression>();
    const base = { ...declared, updates: [], expensive: false };
    const protocol = textOf(options.get('protocol')) ?? SESSION_TYPES[declared.name];
    if (protocol !== undefined) return { ...base, kind: 'session', availableAt: 'L7EndHdrs', protocol };
    const table = BUILT_IN_KINDS[declared.name];
    const kind = KINDS.find((kind) => kind === textOf(options.get('kind'))) ?? table?.kind;
    if (kind === undefined) return undefined;
    return { ...base, kind, availableAt: atOption(module, options) ?? table?.availableAt ?? 'L4FirstPacket' };
  }

  function callback(declared: Declared, { module, node }: Resolved): CallbackInfo | undefined {
    const found = ts.isClassDeclaration(node) ? methods(module, node, 'callback') : [];
    const made = ts.isClassDeclaration(node) ? constructorOf(node) : undefined;
    if (found.length === 0) {
      const hint = "mark its methods `@on(LEVEL)`, such as `@on('L4Terminated')`";
      report.error('no-methods', declared, `\`${declared.name}\` has no method that is ever called`, hint);
      return undefined;
    }
    return {
      ...declared,
      kind: 'class',
      params: made === undefined ? [] : signatures.params(module, made),
      methods: found,
      streaming: found.some((method) => method.returns),
    };
  }

  function staticFilters(declared: Declared, { module, node }: Resolved): readonly FilterInfo[] {
    if (!ts.isClassDeclaration(node)) return [];
    const plain = marks.read(module, node).length === 0;
    return node.members.flatMap((member): readonly FilterInfo[] => {
      if (!ts.isMethodDeclaration(member)) return [];
      // The other methods of a class that is marked are read with it.
      if (!plain && !hasModifier(member, ts.SyntaxKind.StaticKeyword)) return [];
      const mark = marks.read(module, member).find((one) => one.name === 'filter');
      if (mark === undefined) return [];
      const place = { file: module.source, span: spanOf(mark.node) };
      const at = marks.options(module, mark, ['at']).get('at');
      if (at === undefined) {
        report.error('missing-level', place, 'a static filter says where it is asked', '`@filter({ at: LEVEL })`');
        return [];
      }
      if (isHidden(member) || !ts.isIdentifier(member.name)) {
        report.error('hidden-method', place, 'a static filter must be public, with a plain name');
        return [];
      }
      const name = `${declared.name}.${member.name.text}`;
      const levels = marks.levels(module, [at]);
      if (levels.length > 1 && levels.includes('Packet'))
        report.error('bad-filter', place, FRAMES, 'make it two filters');
      update(module, member, levels, 'filter');
      if (levels.length === 0) return [];
      const info = { ...declared, name, span: spanOf(member.name), staticOf: declared.name };
      return [{ ...info, kind: 'function', levels, params: signatures.params(module, member), methods: [] }];
    });
  }

  function filter(declared: Declared, { module, node }: Resolved, mark: Mark): FilterInfo | undefined {
    const options = marks.options(module, mark, ['at']);
    const option = options.get('at');
    const at = option === undefined ? undefined : marks.levels(module, [option]);
    const found = ts.isClassDeclaration(node) ? methods(module, node, 'filter', at) : [];
    const made = ts.isClassDeclaration(node) ? constructorOf(node) : undefined;
    if (found.length === 0) {
      const hint = "mark its method `@on(LEVEL)`, such as `@on('InL4Conn')`";
      report.error('no-methods', declared, `the filter \`${declared.name}\` has no method that is ever asked`, hint);
      return undefined;
    }
    for (const method of found) {
      if (!method.levels.includes('Packet')) continue;
      const why = 'Packet delivers single frames outside any connection, and a class is made for a connection';
      report.error(
        'bad-filter',
        { file: module.source, span: method.span },
        why,
        "write a function: filter('Packet', …)",
      );
    }
    return {
      ...declared,
      kind: 'class',
      levels: LEVELS.filter((level) => found.some((method) => method.levels.includes(level))),
      params: made === undefined ? [] : signatures.params(module, made),
      methods: found,
    };
  }

  /** The methods marked `@on`; of a filter with `at`, its only public method. */
  function methods(
    module: Module,
    node: ts.ClassDeclaration,
    role: 'datatype' | 'callback' | 'filter',
    at?: readonly Level[],
  ): readonly UpdateMethod[] {
    const found: UpdateMethod[] = [];
    const plain: ts.MethodDeclaration[] = [];
    for (const member of node.members) {
      if (!ts.isMethodDeclaration(member)) continue;
      const on = marks.read(module, member).find((mark) => mark.name === 'on');
      if (on === undefined) {
        if (!isHidden(member) && !hasModifier(member, ts.SyntaxKind.StaticKeyword)) plain.push(member);
        continue;
      }
      const place = { file: module.source, span: spanOf(on.node) };
      if (on.args.length === 0) {
        report.error('missing-level', place, '`@on` names no level', `one of ${LEVELS.join(', ')}`);
      }
      if (isHidden(member) || hasModifier(member, ts.SyntaxKind.StaticKeyword)) {
        report.error('hidden-method', place, 'a method marked `@on` must be public and not static');
      }
      found.push(update(module, member, marks.levels(module, on.args), role));
    }
    if (at !== undefined && found.length === 0 && plain.length === 1) found.push(update(module, plain[0], at, role));
    return found;
  }

  function update(
    module: Module,
    node: ts.MethodDeclaration,
    levels: readonly Level[],
    role: 'datatype' | 'callback' | 'filter',
  ): UpdateMethod {
    const params = signatures.params(module, node);
    const name = node.name.getText();
    // What a callback gets is for the checker, who knows the subscription.
    if (role !== 'callback') checkLevels(report, module, params, levels, context.known);
    if (role === 'filter' && !mayReturn(node)) {
      const place = { file: module.source, span: spanOf(node.name) };
      const hint = 'return Accept, Drop or Continue';
      report.error('filter-returns-nothing', place, `\`${name}\` of a filter returns nothing`, hint);
    }
    return {
      name,
      levels,
      params,
      body:
        node.body === undefined
          ? ''
          : module.source.text.slice(node.body.pos, node.body.end).trim().slice(1, -1).trim(),
      returns: role === 'filter' || returnsValue(node),
      span: spanOf(node),
    };
  }

  /** Where a value is whole: when the last of what makes it has happened. */
  function wholeAt(params: readonly ParamInfo[], updates: readonly UpdateMethod[]): Level {
    let whole: Level = 'L4FirstPacket';
    const later = (level: Level): void => {
      if (LEVELS.indexOf(level) > LEVELS.indexOf(whole)) whole = level;
    };
    for (const param of params) later(context.known(param.type)?.availableAt ?? 'L4FirstPacket');
    for (const level of updates.flatMap((method) => method.levels)) {
      later(level === 'InL4Conn' || level === 'InL4Stream' ? 'L4Terminated' : level);
    }
    return whole;
  }

  function atOption(module: Module, options: ReadonlyMap<string, ts.Expression>): Level | undefined {
    const at = options.get('at');
    return at === undefined ? undefined : marks.levels(module, [at])[0];
  }

  function declaration({ module, name, node }: Resolved): Declared {
    const exported = module.exports.has(name) ? name : exportedAs(module, name);
    return {
      name: exported ?? name,
      module: module.builtIn ? RUNTIME_MODULE : specifier(folder, module.source.path),
      file: module.source,
      span: spanOf(node.name ?? node),
    };
  }

  return { dataType, isDataType, callback, filter, staticFilters, mark, columnsOf: (info) => columnClasses.get(info) };
}

/** Why no filter is asked of frames and of connections both. */
export const FRAMES = '`Packet` is for single frames outside any connection, and the other levels are of a connection';

const OPTIONS = ['expensive', 'at', 'kind', 'protocol'];
const KINDS = ['view', 'session', 'pdu', 'context'] as const;

function exportedAs(module: Module, local: string): string | undefined {
  for (const [name, to] of module.exports) if ('local' in to && to.local === local) return name;
  return undefined;
}

function constructorOf(node: ts.ClassDeclaration): ts.ConstructorDeclaration | undefined {
  return node.members.find((member) => ts.isConstructorDeclaration(member) && member.body !== undefined) as
    | ts.ConstructorDeclaration
    | undefined;
}

function isHidden(member: ts.MethodDeclaration): boolean {
  return (
    ts.isPrivateIdentifier(member.name) ||
    hasModifier(member, ts.SyntaxKind.PrivateKeyword) ||
    hasModifier(member, ts.SyntaxKind.ProtectedKeyword)
  );
}

function textOf(node: ts.Expression | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}
