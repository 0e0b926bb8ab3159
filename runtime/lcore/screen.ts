/**
 * The standard error while a run lasts: sentences and, on a terminal, a table below them that is drawn again and again in
 * the same place. With `json` everything is one JSON object a line.
 */

/** What a sentence is about; the `kind` of its JSON line. */
export type Topic =
  /** Packets flow. */
  | 'start'
  /** Something that should be known of the configuration or a device. */
  | 'note'
  /** Packets or connections were lost. */
  | 'loss'
  /** User code threw. */
  | 'report';

export interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Screen {
  /** A table can be drawn. */
  readonly table: boolean;
  readonly json: boolean;
  /** One sentence, or with `report` some whole lines. */
  say(topic: Topic, text: string): void;
  /** Text as it is, its newline included. */
  write(text: string): void;
  /** Draws lines in the place of the last ones. */
  draw(lines: readonly string[]): void;
}

const PREFIX: Readonly<Record<Topic, string>> = { start: 'iris: ', note: 'note: ', loss: 'iris: ', report: '' };

/** `output`: where the run's lines go; on the same terminal they would run into the table. */
export function createScreen(
  stream: Stream,
  { json, output }: { json: boolean; output: Pick<Stream, 'isTTY'> },
): Screen {
  const table = !json && stream.isTTY === true && output.isTTY !== true;
  let drawn: readonly string[] = [];

  const erase = () => (drawn.length === 0 ? '' : `\x1b[${drawn.length}A\r\x1b[J`);
  const shown = () => drawn.map((line) => `${line}\n`).join('');

  return {
    table,
    json,
    say(topic, text) {
      const line = text.endsWith('\n') ? text : `${text}\n`;
      if (json) stream.write(`${JSON.stringify({ kind: topic, text: text.trimEnd() })}\n`);
      else stream.write(`${erase()}${PREFIX[topic]}${line}${shown()}`);
    },
    write: (text) => stream.write(`${erase()}${text}${shown()}`),
    draw(lines) {
      const width = Math.max(20, stream.columns || 120) - 1;
      const before = erase();
      drawn = lines.map((line) => line.slice(0, width));
      stream.write(before + shown());
    },
  };
}
