/** Visits every state that can be reached, breadth first, so that what is found is found by the shortest way. */
import {
  type Bounds,
  begin,
  brokenBetween,
  brokenIn,
  type Flaw,
  isComplete,
  type State,
  type Step,
  successors,
} from "./protocol.ts";

export type Exploration = {
  readonly states: number;
  readonly transitions: number;
  /** Steps of the longest of the shortest ways to a state. */
  readonly depth: number;
  /** The first invariant that is broken, and how it comes to that. */
  readonly broken?: { readonly what: string; readonly trace: readonly Step[] };
  /** Ways that together go through every state. */
  readonly traces: () => Generator<readonly Step[]>;
};

type Node = {
  readonly state: State;
  readonly parent: number;
  readonly step: Step | undefined;
  isLeaf: boolean;
};

export function explore(bounds: Bounds, flaw?: Flaw): Exploration {
  const nodes: Node[] = [{ state: begin(bounds), parent: -1, step: undefined, isLeaf: true }];
  const known = new Set([JSON.stringify(nodes[0]?.state)]);
  let transitions = 0;
  const traceTo = (index: number): Step[] => {
    const steps: Step[] = [];
    for (let node = nodes[index]; node?.step; node = nodes[node.parent]) steps.push(node.step);
    return steps.reverse();
  };
  const result = (broken?: Exploration["broken"]): Exploration => ({
    states: nodes.length,
    transitions,
    depth: traceTo(nodes.length - 1).length,
    ...(broken ? { broken } : {}),
    *traces() {
      for (const [index, { isLeaf }] of nodes.entries()) if (isLeaf) yield traceTo(index);
    },
  });
  for (let index = 0; index < nodes.length; index++) {
    const node = nodes[index] as Node;
    const next = successors(node.state, flaw);
    if (next.length === 0 && !isComplete(node.state))
      return result({ what: "nothing can happen, and the job is not over", trace: traceTo(index) });
    for (const { step, state } of next) {
      transitions++;
      const what = brokenBetween(node.state, state) ?? brokenIn(state);
      if (what !== undefined) return result({ what, trace: [...traceTo(index), step] });
      const key = JSON.stringify(state);
      if (known.has(key)) continue;
      known.add(key);
      node.isLeaf = false;
      nodes.push({ state, parent: index, step, isLeaf: true });
    }
  }
  return result();
}
