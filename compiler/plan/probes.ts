/** Numbers for the tests of a plan's trees, so that a run can count how often each one passed. */
import type { ProgramPlan } from './plan.ts';
import type { Arm, TreeNode } from './tree.ts';

/** A number for every arm of every tree, in the order in which `explain` prints them. */
export function numberProbes(plan: ProgramPlan): ReadonlyMap<Arm, number> {
  const numbers = new Map<Arm, number>();
  const add = (node: TreeNode | undefined): void => {
    for (const chain of node?.chains ?? []) {
      for (const arm of chain.arms) {
        numbers.set(arm, numbers.size);
        add(arm.node);
      }
      add(chain.otherwise);
    }
  };
  for (const tree of [plan.packet, plan.packetFilter, plan.first]) add(tree);
  for (const { tree } of plan.streams) add(tree);
  for (const { tree } of plan.sessions) add(tree);
  return numbers;
}
