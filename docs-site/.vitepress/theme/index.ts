import type { Theme } from "vitepress";
// Without its fonts: the reader's own are faster.
import DefaultTheme from "vitepress/theme-without-fonts";
import Charts from "./Charts.vue";
import Summary from "./Summary.vue";
import "./style.css";

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }) => {
    app.component("Charts", Charts);
    app.component("Summary", Summary);
  },
} satisfies Theme;
