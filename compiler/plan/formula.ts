/** Negation normal form: `not` only in front of atoms, `true` and `false` folded away. */
import type { TypedExpr } from '../language/typed.ts';
import { type Literal, makeAtom } from './atom.ts';

export type Formula =
  | { readonly kind: 'true' }
  | { readonly kind: 'false' }
  | { readonly kind: 'literal'; readonly literal: Literal }
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Formula[] };

const TRUE: Formula = { kind: 'true' };
const FALSE: Formula = { kind: 'false' };

/** The formula of an expression, or of its negation. */
export function toFormula(expr: TypedExpr, negated = false): Formula {
  switch (expr.kind) {
    case 'true':
      return negated ? FALSE : TRUE;
    case 'not':
      return toFormula(expr.expr, !negated);
    case 'and':
    case 'or': {
      const conjunction = (expr.kind === 'and') !== negated;
      const stop = conjunction ? 'false' : 'true';
      const skip = conjunction ? 'true' : 'false';
      const terms: Formula[] = [];
      for (const term of expr.terms) {
        const formula = toFormula(term, negated);
        if (formula.kind === stop) return formula;
        if (formula.kind !== skip) terms.push(formula);
      }
      const [only] = terms;
      if (only === undefined) return conjunction ? TRUE : FALSE;
      return terms.length === 1 ? only : { kind: conjunction ? 'and' : 'or', terms };
    }
    default:
      return { kind: 'literal', literal: { atom: makeAtom(expr), positive: !negated } };
  }
}
