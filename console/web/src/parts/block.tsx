/** Text that scrolls in a box of its own: reached and scrolled by keyboard, and told what it is. */
import type { ReactNode } from "react";

export function Block({
  label,
  soft = false,
  children,
}: {
  label: string;
  soft?: boolean;
  children: ReactNode;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
    <section className={`block mono${soft ? " soft" : ""}`} tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
