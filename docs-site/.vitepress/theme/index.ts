import type { Theme } from "vitepress";
// Without its fonts: the reader's own are faster.
import DefaultTheme from "vitepress/theme-without-fonts";
import Charts from "./Charts.vue";
import "./style.css";

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }) => {
    app.component("Charts", Charts);
  },
} satisfies Theme;
