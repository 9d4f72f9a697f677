// Says that there is no keypoint of the name that was typed: gradio's list does nothing then, and shows the former name
// once the field is left.
'use strict';
(() => {
  const UNKNOWN = 'no keypoint of this name';
  const field = (event) => event.target.closest?.('#keypoint input');

  document.addEventListener('input', (event) => field(event)?.setCustomValidity(''), true);
  document.addEventListener('focusout', (event) => field(event)?.setCustomValidity(''), true);
  document.addEventListener('keydown', (event) => {
    const typed = event.key === 'Enter' && field(event);
    if (!typed || typed.getAttribute('aria-expanded') !== 'true') return;
    if (document.querySelector('#keypoint [role=option]')) return;
    typed.setCustomValidity(UNKNOWN);
    typed.reportValidity();
  }, true); // before gradio sees the key
})();
