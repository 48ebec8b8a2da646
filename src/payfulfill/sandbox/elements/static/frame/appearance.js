// The shop's wishes for how the element looks. They come from another page: each value is checked
// for its kind, and becomes a custom property and nothing else. No text of theirs is parsed as CSS.

const THEMES = ["stripe", "night", "flat"];

const SIZE = /^(\d{1,3}(\.\d{1,4})?|\.\d{1,4})(px|rem|em|%)?$/;
const FONTS = /^[\w\s,'"-]{1,200}$/;

function isColour(value) {
  return value.length <= 64 && /^[\w#%.,()/\s-]+$/.test(value) && CSS.supports("color", value);
}

function isSize(value) {
  return SIZE.test(value) && CSS.supports("padding", value);
}

function isFonts(value) {
  return FONTS.test(value) && CSS.supports("font-family", value);
}

const VARIABLES = {
  borderRadius: ["--radius", isSize],
  colorBackground: ["--background", isColour],
  colorDanger: ["--danger", isColour],
  colorPrimary: ["--primary", isColour],
  colorText: ["--text", isColour],
  colorTextPlaceholder: ["--placeholder", isColour],
  colorTextSecondary: ["--text-secondary", isColour],
  fontFamily: ["--font", isFonts],
  fontSizeBase: ["--size", isSize],
  spacingUnit: ["--unit", isSize],
};

/** Puts it on: what isn't said, or makes no sense, is as the theme has it. */
export function applyAppearance({ theme, variables } = {}) {
  const root = document.documentElement;
  root.dataset.theme = THEMES.includes(theme) ? theme : THEMES[0];
  for (const [name, [property, fits]] of Object.entries(VARIABLES)) {
    root.style.removeProperty(property);
    const value = variables?.[name];
    if (value === undefined || value === null) continue;
    if (typeof value === "string" && fits(value)) root.style.setProperty(property, value);
    else console.warn(`appearance.variables.${name}: the sandbox can't use this value.`);
  }
}
