/** Reads Prometheus's text format strictly: every line known, every family once, with its HELP and TYPE before it. */

const SAMPLE = /^([a-zA-Z_][a-zA-Z0-9_]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\["\\n])*",?)+\})? (\S+)$/;

/** Values by name and labels as they stand. Throws at the first line that does not belong. */
export function metricsOf(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const families = new Set<string>();
  let family = '';
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const lines = text.slice(0, -1).split('\n');
  lines.forEach((line, i) => {
    const help = /^# HELP (\S+) ./.exec(line);
    if (help !== null) {
      family = help[1] ?? '';
      if (families.has(family)) throw new Error(`${family} comes twice`);
      families.add(family);
      if (!/^# TYPE \S+ (counter|gauge)$/.test(lines[i + 1] ?? '')) throw new Error(`${family} has no type`);
      return;
    }
    if (line.startsWith('# TYPE ')) {
      if (line.split(' ')[2] !== family) throw new Error(`a type out of place: ${line}`);
      return;
    }
    const sample = SAMPLE.exec(line);
    if (sample === null || sample[1] !== family) throw new Error(`out of place: ${line}`);
    const key = `${sample[1]}${sample[2] ?? ''}`;
    if (values.has(key)) throw new Error(`${key} comes twice`);
    values.set(key, Number(sample[3]?.replace('Inf', 'Infinity')));
  });
  return values;
}
