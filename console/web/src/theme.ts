/** Colours with enough contrast for WCAG 2.2 AA, light and dark. */
import { type CSSVariablesResolver, createTheme } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "blue",
  // White on the sixth shade has a contrast of 3.6; on the eighth, of 5.1.
  primaryShade: { light: 8, dark: 8 },
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Noto Sans Mono', monospace",
  headings: { fontWeight: "600", sizes: { h1: { fontSize: "1.6rem" }, h2: { fontSize: "1.2rem" } } },
  defaultRadius: "md",
  respectReducedMotion: true,
});

export const variables: CSSVariablesResolver = ({ colors }) => ({
  variables: {},
  light: {
    "--mantine-color-dimmed": colors.gray[7],
    "--mantine-color-placeholder": colors.gray[7],
    "--mantine-color-error": colors.red[9],
    "--mantine-color-anchor": colors.blue[9],
  },
  dark: {
    "--mantine-color-dimmed": colors.dark[0],
    "--mantine-color-placeholder": colors.dark[1],
    "--mantine-color-error": colors.red[4],
    "--mantine-color-anchor": colors.blue[3],
  },
});
