/** What the checker asks of the outside world, answered from plain objects. */
import type { CallbackInfo, DataTypeInfo, FilterInfo, Level, UpdateMethod } from '../../compiler/analysis/info.ts';
import type { SourceFile } from '../../compiler/language/ast.ts';
import type { CheckEnvironment, UsedName } from '../../compiler/language/environment.ts';

const USER_FILE: SourceFile = { path: 'user.ts', text: 'export const it = 1\n' };
const LIBRARY: SourceFile = { path: 'library.ts', text: '\n' };
const SPAN = { start: 13, end: 15 };

/** A data type of the library. */
export function dataType(
  name: string,
  kind: DataTypeInfo['kind'],
  availableAt: Level,
  protocol?: string,
): DataTypeInfo {
  const declared = { name, module: 'iris-ts/runtime', file: LIBRARY, span: { start: 0, end: 0 } };
  return { ...declared, kind, availableAt, updates: [], expensive: false, ...(protocol !== undefined && { protocol }) };
}

export function callback(
  name: string,
  params: readonly [string, string][],
  methods: readonly UpdateMethod[] = [],
): CallbackInfo {
  return {
    name,
    module: './user.ts',
    file: USER_FILE,
    span: SPAN,
    kind: methods.length > 0 ? 'class' : 'function',
    params: params.map(([param, type]) => ({ name: param, type, span: SPAN })),
    methods,
    streaming: false,
  };
}

export function method(name: string, levels: readonly Level[], params: readonly [string, string][]): UpdateMethod {
  return {
    name,
    levels,
    params: params.map(([param, type]) => ({ name: param, type })),
    body: '',
    returns: true,
    span: SPAN,
  };
}

export function userFilter(name: string, levels: readonly Level[]): FilterInfo {
  return { name, module: './user.ts', file: USER_FILE, span: SPAN, kind: 'function', levels, params: [], methods: [] };
}

const TYPES: readonly DataTypeInfo[] = [
  dataType('L4Pdu', 'pdu', 'Packet'),
  dataType('FiveTuple', 'view', 'L4FirstPacket'),
  dataType('StartTime', 'view', 'L4FirstPacket'),
  dataType('CoreId', 'context', 'Packet'),
  dataType('SessionProto', 'context', 'L7OnDisc'),
  dataType('ConnRecord', 'columns', 'L4Terminated'),
  dataType('HandshakeRtt', 'object', 'L4EndHshk'),
  dataType('TlsHandshake', 'session', 'L7EndHdrs', 'tls'),
  dataType('HttpTransaction', 'session', 'L7EndHdrs', 'http'),
];

/** What `./user.ts` exports in tests. */
const USED: readonly [string, UsedName][] = [
  ['onHttps', { is: 'callback', info: callback('onHttps', [['tls', 'TlsHandshake']]) }],
  ['notInternal', { is: 'filter', info: userFilter('notInternal', ['L4FirstPacket']) }],
  ['isLarge', { is: 'filter', info: userFilter('isLarge', ['L4Terminated']) }],
  ['Mine', { is: 'dataType', info: dataType('Mine', 'columns', 'L4Terminated') }],
  ['odd', { is: 'callback', info: callback('odd', [['x', 'NoSuchType']]) }],
  [
    'Bitrate',
    {
      is: 'callback',
      info: callback(
        'Bitrate',
        [['first', 'L4Pdu']],
        [
          method(
            'segment',
            ['InL4Stream'],
            [
              ['pdu', 'L4Pdu'],
              ['tls', 'TlsHandshake'],
            ],
          ),
          method('done', ['L4Terminated'], [['start', 'StartTime']]),
        ],
      ),
    },
  ],
  ['Wrong', { is: 'callback', info: callback('Wrong', [], [method('done', ['L4Terminated'], [['pdu', 'L4Pdu']])]) }],
];

/** An environment with a few library types, `./user.ts` and the given files of values. */
export function testEnvironment(files: Readonly<Record<string, string>> = {}): CheckEnvironment {
  const types = new Map(TYPES.map((type) => [type.name, type]));
  const used = new Map(USED);
  return {
    resolveUse(from, names) {
      if (from !== './user.ts') return { error: `there is no file \`${from}\`` };
      const found = names.flatMap((name): [string, UsedName][] => {
        const one = used.get(name);
        return one === undefined ? [] : [[name, one]];
      });
      return { names: new Map(found), exported: [...used.keys()], diagnostics: [] };
    },
    dataType: (name) => types.get(name),
    dataTypeNames: () => [...types.keys()],
    readText(path) {
      const text = files[path];
      return text === undefined ? { error: 'no such file' } : { path, text };
    },
  };
}
