/** YAML, read as kubectl reads it and with the place of every field; and written. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
  stringify,
  type Tags,
  visit,
} from "yaml";

export type Path = readonly (string | number)[];
export type Position = { readonly line: number; readonly column: number };

export type YamlDocument = {
  readonly value: unknown;
  /** Where the field's key stands (for a list's element: the element); of the nearest field around it where it is absent. */
  locate(path: Path): Position;
  /** The text of a scalar that was written without quotes; undefined for all else. */
  unquoted(path: Path): string | undefined;
};

/** Text that is not YAML, or not YAML that Kubernetes would take. */
export type YamlFault = {
  readonly position: Position;
  /** Counted from 1. */
  readonly document: number;
  readonly message: string;
  readonly action: string;
};

const MAX_DOCUMENTS = 1000;
/** Aliases may multiply a document by this much; kubectl's parser has a like bound. */
const MAX_ALIASES = 100;

/** Of a document; a person stops reading long before. */
const MAX_REPEATED = 100;

const ACTIONS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces; YAML allows no tabs there",
  BAD_INDENT: "line the field up with its neighbours",
  BAD_ALIAS: "define the anchor before it is used, or write the value out",
  BAD_DQ_ESCAPE: "write the text in single quotes, or double the backslash",
  TAG_RESOLVE_FAILED: "leave the tag out",
};

/**
 * Documents in their order, and what is wrong with the text; a document at fault has no entry among the documents.
 * Never throws. YAML 1.1, as kubectl reads it: `y`, `no` and `on` are booleans where they stand without quotes.
 */
export function readYaml(text: string): { documents: YamlDocument[]; faults: YamlFault[] } {
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  let parsed: Document.Parsed[];
  try {
    const result = parseAllDocuments(text, {
      lineCounter: lines,
      version: "1.1",
      customTags: withoutForeignTags,
      prettyErrors: false,
      // Ours is below: the library compares every key with every other one.
      uniqueKeys: false,
    });
    parsed = Array.isArray(result) ? [...result] : [];
  } catch (error) {
    return { documents: [], faults: [collapse(at(0), 1, error)] };
  }
  if (parsed.length > MAX_DOCUMENTS) {
    const start = at(parsed[MAX_DOCUMENTS]?.range[0] ?? 0);
    const message = `holds ${parsed.length} documents, where at most ${MAX_DOCUMENTS} are read`;
    return {
      documents: [],
      faults: [{ position: start, document: MAX_DOCUMENTS + 1, message, action: "use several files" }],
    };
  }
  const documents: YamlDocument[] = [];
  const faults: YamlFault[] = [];
  parsed.forEach((document, index) => {
    const number = index + 1;
    try {
      const told = faultsOf(document);
      faults.push(
        ...told.map(({ offset, ...fault }) => ({ position: at(offset), document: number, ...fault })),
      );
      if (told.length === 0)
        documents.push(located(document, document.toJS({ maxAliasCount: MAX_ALIASES }), at));
    } catch (error) {
      faults.push(collapse(at(document.range[0]), number, error));
    }
  });
  return { documents, faults };
}

type Fault = { readonly offset: number; readonly message: string; readonly action: string };

/** Of what the parser finds, the first: it breaks what follows. Of fields given twice, each. */
function faultsOf(document: Document.Parsed): Fault[] {
  const [error] = [...document.errors, ...document.warnings];
  if (error) {
    const message = `is not valid YAML: ${error.message.replaceAll(/\s+/g, " ")}`;
    return [{ offset: error.pos[0], message, action: ACTIONS[error.code] ?? "correct the text" }];
  }
  const repeated: Fault[] = [];
  visit(document, {
    Map: (_, map) => {
      const names = new Set<string>();
      for (const { key } of map.items) {
        const name = isScalar(key) ? String(key.value) : undefined;
        if (name !== undefined && names.has(name) && repeated.length < MAX_REPEATED) {
          const message = `has the field ${JSON.stringify(name.slice(0, 64))} twice`;
          repeated.push({
            offset: (key as ParsedNode).range?.[0] ?? 0,
            message,
            action: "keep one of the two",
          });
        }
        if (name !== undefined) names.add(name);
      }
    },
  });
  return repeated;
}

/** Nesting that exhausts the stack, aliases that multiply: what the parser throws rather than reports. */
function collapse(position: Position, document: number, error: unknown): YamlFault {
  const nested = error instanceof RangeError;
  return {
    position,
    document,
    message: nested
      ? "is nested too deeply to be read"
      : `cannot be read: ${error instanceof Error ? error.message.replaceAll(/\s+/g, " ") : String(error)}`,
    action: nested ? "nest less" : "write the values out, without anchors and aliases",
  };
}

/** kubectl makes text of dates and of 12:30; only these tags of YAML 1.1 differ from it. */
function withoutForeignTags(tags: Tags): Tags {
  return tags.filter(
    (tag) =>
      typeof tag === "string" ||
      !(tag.tag === "tag:yaml.org,2002:timestamp" || ("format" in tag && tag.format === "TIME")),
  );
}

function located(document: Document.Parsed, value: unknown, at: (offset: number) => Position): YamlDocument {
  const target = (node: unknown): unknown => (isAlias(node) ? (node as Alias).resolve(document) : node);
  const walk = (path: Path) => {
    let node: unknown = document.contents;
    let offset = (document.contents as ParsedNode | null)?.range?.[0] ?? document.range[0];
    for (const segment of path) {
      const around = target(node);
      if (isMap(around)) {
        const pair = around.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment));
        if (!pair) return { offset, node: undefined };
        offset = (pair.key as ParsedNode).range?.[0] ?? offset;
        node = pair.value;
      } else if (isSeq(around)) {
        node = around.items[Number(segment)];
        if (node === undefined) return { offset, node: undefined };
        offset = (node as ParsedNode).range?.[0] ?? offset;
      } else {
        return { offset, node: undefined };
      }
    }
    return { offset, node: target(node) };
  };
  return {
    value,
    locate: (path) => at(walk(path).offset),
    unquoted: (path) => {
      const { node } = walk(path);
      return isScalar(node) && node.type === "PLAIN" ? node.source : undefined;
    },
  };
}

/** One document, in a form that does not depend on how its value was built. */
export function toYaml(value: unknown): string {
  // kubectl and helm read YAML 1.1, where a plain Off or Yes is a boolean.
  return stringify(value, { lineWidth: 110, aliasDuplicateObjects: false, compat: "yaml-1.1" });
}
