/** Syntax trees back to filter text, for tests that parse what they print. */
import type { Expr, FilterFile, LinesCall, Statement, Value } from '../../compiler/language/ast.ts';

export function printFile(file: FilterFile): string {
  return file.statements.map(printStatement).join('\n');
}

function printStatement(statement: Statement): string {
  switch (statement.kind) {
    case 'use':
      return `use { ${statement.names.map(({ name }) => name).join(', ')} } from ${printString(statement.from.value)}`;
    case 'set':
      return `set ${statement.name.name} = ${printSet(statement.value)}`;
    case 'let':
      return `let ${statement.name.name} = ${printExpr(statement.value)}`;
    case 'subscribe': {
      const params = statement.params?.map(({ name, type }) => `${name.name}: ${type.name}`).join(', ');
      const at = statement.levels.length > 0 ? ` at ${statement.levels.map(({ name }) => name).join(', ')}` : '';
      const when = statement.when === undefined ? '' : ` when ${printExpr(statement.when)}`;
      return `subscribe ${statement.name.name}${params === undefined ? '' : `(${params})`}${at}${when}`;
    }
  }
}

function printSet(value: Value | LinesCall): string {
  return value.kind === 'lines' ? `lines(${printString(value.path.value)})` : printValue(value);
}

/** Terms of `and`, `or` and `not` stand in parentheses wherever they are not simple. */
export function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'and':
    case 'or':
      return expr.terms.map(printTerm).join(` ${expr.kind} `);
    case 'not':
      return `not ${printTerm(expr.expr)}`;
    case 'name':
      return expr.name;
    case 'compare': {
      const { proto, field } = expr.field;
      const path = proto === undefined ? field.name : `${proto.name}.${field.name}`;
      if (expr.op === undefined || expr.value === undefined) return path;
      return `${path} ${expr.op} ${printValue(expr.value)}`;
    }
  }
}

function printTerm(expr: Expr): string {
  return expr.kind === 'name' || expr.kind === 'compare' ? printExpr(expr) : `(${printExpr(expr)})`;
}

function printValue(value: Value): string {
  switch (value.kind) {
    case 'int':
    case 'addr':
    case 'prefix':
    case 'mac':
      return value.text;
    case 'string':
      return printString(value.value);
    case 'bytes':
      return `|${value.value.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}|`;
    case 'range':
      return `${printValue(value.low)}..${printValue(value.high)}`;
    case 'set':
      return `{${value.values.map(printValue).join(', ')}}`;
    case 'name':
      return value.name;
  }
}

function printString(text: string): string {
  return `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'").replace(/\n/g, '\\n').replace(/\t/g, '\\t')}'`;
}
