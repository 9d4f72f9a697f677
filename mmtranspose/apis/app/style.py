"""How the page looks, beside gradio's theme."""

FONTS = ('system-ui', 'sans-serif')
FIXED_FONTS = ('ui-monospace', 'monospace')
CSS = """
.gradio-container { max-width: 1320px !important; --quiet: #52525b; }
.dark .gradio-container, .gradio-container.dark { --quiet: #b4b4bd; }
#head h1 { font-size: 1.5rem; font-weight: 650; margin: 0; }
#head p { margin: 0.1rem 0 0; color: var(--quiet); }
#upload .wrap { line-height: 1.35; font-size: 0.9rem; }
#picture .image-frame { width: 100%; }
#picture img { cursor: crosshair; width: 100%; height: auto; max-height: 72vh; object-fit: scale-down; }
#facts { min-height: 9.5rem; }
#facts p { margin: 0 0 0.5rem; }
#facts .hint { color: var(--quiet); }
#facts .problem { color: #b91c1c; font-weight: 600; }
.dark #facts .problem { color: #fca5a5; }
#facts table { border-collapse: collapse; border: 0; width: 100%; margin: 0; font-variant-numeric: tabular-nums; }
#facts tr { background: none; border: 0; }
#facts th, #facts td { text-align: left; padding: 0.15rem 0.75rem 0.15rem 0; border: 0; vertical-align: top; }
#facts th { font-weight: 400; color: var(--quiet); white-space: nowrap; width: 8rem; }
#examples .grid-wrap { min-height: 0; max-height: none; }
"""
