export { apply, clamp, compose, element, inverse, largest, offerThemes, outline, prepared, state, stroke, update, view };
export const drawnMap = () => Array.from(mapOf(layer()), above);
