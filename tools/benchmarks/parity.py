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
Tensors and losses may differ by 1e-4. Gradient norms and the losses of five training steps, whose sizes span orders of
magnitude, may differ by 1e-3 of themselves, as the files' own description has it, and after five steps by 3e-3; a norm
that is zero in theory by 1e-4. Every row is asserted by `tests/test_apis/test_parity.py`, where the files are.

Not compared with the origin's output, because there is none here: {uncompared}. Their converters are tested against a
slow forward pass under the origin's key names (`tests/reference/`), written from the papers and the published sizes.

Made by `python tools/benchmarks/parity.py --fixtures FOLDER --out docs/parity.md`; the numbers are of {versions}.
"""


def rows(cases: list) -> list[str]:
    """A table with a row for every tensor."""
    lines = ['| tensor | largest absolute difference | relative | allowed |', '|---|---|---|---|']
    for case in cases:
        absolute, share = (case.absolute, f'{case.difference:.1e}') if case.relative else (case.difference, '')
        allowed = f'{case.allowed:g}{" relative" if case.relative else ""}'
        lines.append(f'| `{case.name}` | {absolute:.1e} | {share} | {allowed} |')
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
