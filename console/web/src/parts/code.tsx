/** Python in colours, without a line of markup made from text: the highlighter's tree becomes elements. */
import { diffLines } from "diff";
import python from "highlight.js/lib/languages/python";
import { createLowlight } from "lowlight";
import { type ReactNode, useMemo } from "react";
import { Block } from "./block.tsx";

const lowlight = createLowlight({ python });

/** What is longer is shown as it is: colouring it would hold up the page. */
const MAX_COLOURED = 40_000;

type Node = ReturnType<typeof lowlight.highlight>["children"][number];

export function Code({ text, label }: { text: string; label: string }) {
  const children = useMemo<ReactNode>(
    () => (text.length > MAX_COLOURED ? text : lowlight.highlight("python", text).children.map(elementOf)),
    [text],
  );
  return (
    <Block label={label}>
      <code>{children}</code>
    </Block>
  );
}

function elementOf(node: Node, index: number): ReactNode {
  if (node.type === "text") return node.value;
  if (node.type !== "element") return null;
  const { className } = node.properties;
  return (
    <span key={index} className={Array.isArray(className) ? className.join(" ") : undefined}>
      {node.children.map((child, at) => elementOf(child, at))}
    </span>
  );
}

/** What changed since the last version of the file. */
export function Diff({ before, after, label }: { before: string; after: string; label: string }) {
  const parts = useMemo(() => diffLines(before, after), [before, after]);
  return (
    <Block label={label}>
      {parts.map(({ value, added, removed }, index) => {
        const mark = added ? "+ " : removed ? "- " : "  ";
        const lines = value.replace(/\n$/, "").split("\n");
        const shown =
          added || removed || lines.length <= 8 ? lines : [...lines.slice(0, 3), "…", ...lines.slice(-3)];
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts of a text are told apart by their place
          <div key={index} className={added ? "added" : removed ? "removed" : undefined}>
            {shown.map((line) => `${mark}${line}`).join("\n")}
          </div>
        );
      })}
    </Block>
  );
}
