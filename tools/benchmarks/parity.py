"""Compare our models with the numeric outputs of published peers, tensor by tensor, and write docs/parity.md.

python tools/benchmarks/parity.py --fixtures ../shared/fixtures/peers --out docs/parity.md
"""

import argparse
import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests' / 'reference')]

HEAD = """# Parity with published peers

Weights, inputs and outputs of tiny models of the peers' own code, loaded through
`tools/model_converters/convert.py` into the classes that train here; centres, neighbourhoods and masks are the peers'.
Tensors: largest absolute difference, at most 1e-4. Gradient norms and losses of training steps (marked): largest
relative difference, at most 1e-3, after five steps 3e-3. Every row is asserted by `tests/test_apis/test_parity.py`,
where the files are.

Not compared with the origin's output, because there is none here: {uncompared}. Their converters are tested against a
slow forward pass under the origin's key names (`tests/reference/`), written from the papers and the published sizes.

Made by `python tools/benchmarks/parity.py`; the numbers are of {versions}.
"""


def rows(cases: list) -> list[str]:
    """A table; the gradient norms of a file in one row."""
    norms = [case for case in cases if case.name.startswith('grad_norm/')]
    lines = ['| tensor | largest difference | allowed |', '|---|---|---|']
    for case in cases:
        if case not in norms:
            kind = ' (relative)' if case.relative else ''
            lines.append(f'| `{case.name}` | {case.difference:.1e}{kind} | {case.allowed:g} |')
    for relative in (True, False):
        same = [case for case in norms if case.relative == relative]
        if same:
            worst = max(same, key=lambda case: case.difference)
            kind = '(relative)' if relative else '(absolute: zero in theory)'
            lines.append(
                f'| gradient norms of {len(same)} parameters, the worst `{worst.name.removeprefix("grad_norm/")}` | '
                f'{worst.difference:.1e} {kind} | {worst.allowed:g} |'
            )
    return lines


def main() -> None:
    """Compare, print, write."""
    import torch
    from peers import fixtures_folder

    from mmpt.apis.origins import FAMILIES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--fixtures', type=Path, default=fixtures_folder(), help='folder with the *.npz of the peers')
    parser.add_argument('--out', type=Path, help='the page to write')
    args = parser.parse_args()
    if args.fixtures is None or not args.fixtures.is_dir():
        parser.error(f'--fixtures {args.fixtures}: expected the folder with the numeric outputs of the peers (*.npz).')
    names = sorted(path.stem.removeprefix('parity_') for path in (ROOT / 'tests/reference').glob('parity_*.py'))
    cases = [case for name in names for case in importlib.import_module(f'parity_{name}').cases(args.fixtures)]
    uncompared = ', '.join(f'`{name}`' for name in sorted(set(FAMILIES) - set(names)))
    versions = f'Python {sys.version.split()[0]}, torch {torch.__version__}, CPU, float32'
    page = [HEAD.format(uncompared=uncompared or 'none', versions=versions)]
    for file in dict.fromkeys(case.file for case in cases):
        page += [f'## `{file}`', '', *rows([case for case in cases if case.file == file]), '']
    text = '\n'.join(page)
    print(text)
    if args.out is not None:
        args.out.write_text(text)
    wrong = [case for case in cases if not case.difference <= case.allowed]
    if wrong:
        sys.exit(f'mmpt: {len(wrong)} tensors differ by more than is allowed, such as {wrong[0]}.')


if __name__ == '__main__':
    main()
