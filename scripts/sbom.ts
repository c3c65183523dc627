/**
 * The part of npm's bill of materials that is in an image: `npm sbom` on standard input, and the image's name.
 *
 *     npm sbom --sbom-format cyclonedx --package-lock-only | node scripts/sbom.ts operator
 *
 * npm's own `--omit dev` leaves out packages that a tool depends on too, as a peer: so what is shipped is told by the lockfile.
 */
import { text } from "node:stream/consumers";
import { bundled, nameAt, npmLock } from "./licences.ts";

export type Component = {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly licenses?: readonly unknown[];
};
export type Bom = {
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
  readonly metadata: { readonly component: { readonly "bom-ref": string } };
};

const IMAGES = ["operator", "inference-server", "console"] as const;
export type Image = (typeof IMAGES)[number];

/** Only what is in the image, of components and of what depends on what. */
export function ofImage(bom: Bom, image: Image): Bom {
  const lock = npmLock();
  const pages = image === "console" ? bundled(lock) : new Set<string>();
  const isIn = (path: string): boolean => {
    const { dev, optional } = lock[path] ?? {};
    return pages.has(path) || !(dev || (optional && image !== "inference-server"));
  };
  const shipped = new Set(
    Object.keys(lock)
      .filter(isIn)
      .map((path) => `${nameAt(path)}@${lock[path]?.version}`),
  );
  const components = bom.components.filter((component) => shipped.has(component["bom-ref"]));
  const known = new Set([
    bom.metadata.component["bom-ref"],
    ...components.map((component) => component["bom-ref"]),
  ]);
  const dependencies = bom.dependencies
    .filter(({ ref }) => known.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => known.has(one)) }));
  return { ...bom, components, dependencies };
}

if (import.meta.main) {
  const image = IMAGES.find((name) => name === process.argv[2]);
  if (image === undefined)
    throw new Error(`expected one of ${IMAGES.join(", ")}, found ${process.argv[2] ?? "nothing"}`);
  console.log(JSON.stringify(ofImage(JSON.parse(await text(process.stdin)) as Bom, image), null, 1));
}
