export {
  apply, byTouch, clamp, compose, element, howToChoose, inverse, largest, offerThemes, outline, prepared, state, stroke, strongest,
  update, view,
};
export const drawnMap = () => Array.from(mapOf(layer()), above);
