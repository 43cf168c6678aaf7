"""tools/benchmarks/real_size.py: trees of real size are read by shipped pipelines; rows are kept; failures are rows."""

import json
import resource
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from _scripts import load_script

from mmpt.engine.launch import train
from mmpt.registry import DATASETS
from mmpt.utils.config import load_config, parse_options
from mmpt.utils.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
TINY = """
_base_ = '{root}/configs/classification/finetune_scanobjectnn_pb_t50_rs.py'
model = dict(
    encoder=dict(dim=16, depth=1, num_heads=2, patch_widths=(8, 16, 16)),
    task_encoder=dict(num_groups=8, group_size=8),
    hidden_dim=16,
)
train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False)
"""


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.setattr(sys, 'path', list(sys.path))
    module = load_script('tools/benchmarks/real_size.py')
    monkeypatch.setattr(sys.modules['_trees'], 'ROOM_POINTS', 60_000)
    return module


@pytest.fixture
def run(tool, tmp_path):
    """The tool on the tiny config; the row and the page that it writes."""
    (tmp_path / 'tiny.py').write_text(TINY.format(root=ROOT))

    def call(*options):
        out = tmp_path / 'page.md'
        # It exits with 1 where a row is an error.
        with suppress(SystemExit):
            tool.main([str(tmp_path / 'tiny.py'), '--work-dir', str(tmp_path / 'rows'), '--out', str(out), *options])
        (row,) = (json.loads(path.read_text()) for path in (tmp_path / 'rows').glob('*.json'))
        return row, out.read_text()

    return call


def test_the_shipped_pipelines_read_the_trees(tool, tmp_path):
    for number, config in enumerate(tool.CONFIGS):
        dataset = load_config(ROOT / config).train_dataloader.dataset
        dataset.data_root = tool.BY_DATA_SET[dataset.type](tmp_path / str(number), 1)['data_root']
        sample = DATASETS.build(dataset)[0]
        assert sample['inputs']['points'].shape == (tool.points_of(dataset), 3), config


def test_a_row_is_of_a_whole_training_and_kept(run, tool, monkeypatch):
    def here(folder, config, keys, options, *, seed, device):
        # test_benchmark.py has it in a process of its own, which takes ten times as long.
        train(config, work_dir=str(folder / 'run'), cfg_options=parse_options(options), seed=seed)
        return {'peak_mb': 512.0}

    monkeypatch.setattr(tool, 'train_in_process', here)
    row, page = run('--iterations', '2')
    assert (row['batch'], row['points'], row['updates'], row['peak_mb']) == (4, 2048, 2, 512)
    assert row['seconds'] > 0
    # Fifteen classes by chance.
    assert all(1.5 < loss < 4.5 for loss in row['loss'])
    assert f'tiny.py` | 4 | 2,048 | 2 | {row["seconds"]:.2f} |' in page and '* torch: ' in page

    def another(*args, **kwargs):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes (see train.log)")

    monkeypatch.setattr(tool, 'train_in_process', another)
    assert run('--iterations', '1', '--note', 'Alone.')[0] == row, 'a row of more updates is kept'
    row, page = run('--iterations', '3')
    assert 'GB to take' in row['error'] and 'tried to allocate 7 bytes' in row['error'] and row['error'] in page


def test_processes_may_not_take_what_the_machine_lacks(tool):
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with tool.memory_limited() as limit:
        inside = resource.getrlimit(resource.RLIMIT_DATA)[0]
    assert inside == pytest.approx(limit * 2**30, abs=1) and resource.getrlimit(resource.RLIMIT_DATA) == before


def test_data_without_a_tree_are_refused(tool, tmp_path):
    with pytest.raises(ConfigError, match='trains on SyntheticRooms; trees can be written for ModelNet, '):
        tool.main([str(ROOT / 'configs/detection/synthetic.py'), '--work-dir', str(tmp_path)])
