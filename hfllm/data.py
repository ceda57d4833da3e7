"""Which data sets a stage reads: the `datasets:` key of a recipe, loaded and checked.

The keys are those of TRL's `DatasetConfig`; `columns` may also rename, and `rows` takes a random sample."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from datasets import Dataset

SAMPLE_SEED = 0  # `rows` takes the same rows in every stage and every process
FORMATS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".csv": "csv", ".txt": "text"}


@dataclass
class DatasetConfig:
    """One data set of a recipe."""

    path: str = field(metadata={"help": "A data file, a folder of data files, or a data set on the Hub."})
    name: str | None = field(default=None, metadata={"help": "Configuration of the data set on the Hub."})
    data_dir: str | None = field(default=None, metadata={"help": "Folder inside the data set."})
    data_files: str | list[str] | dict[str, str] | None = field(
        default=None, metadata={"help": "Files inside the data set, or files for `path: json` and its like."}
    )
    split: str = field(default="train", metadata={"help": "Split to read; slices such as train[:1000] work."})
    columns: dict[str, str] | list[str] | None = field(
        default=None, metadata={"help": "{old: new} renames columns; a list keeps only these columns."}
    )
    rows: int | None = field(default=None, metadata={"help": "Read at most this many rows, drawn at random."})
    fraction: float | None = field(
        default=None,
        metadata={
            "help": "Share of this data set in the mixture, by rows, none repeated; for all data sets or for none."
        },
    )

    @property
    def place(self) -> str:
        """How messages name this data set: `data/mine.jsonl [train]`."""
        inside = [str(part) for part in (self.name, self.data_dir, self.data_files) if part]
        return " ".join([self.path, *inside, f"[{self.split}]"])


@dataclass
class DatasetMixtureConfig:
    """The data sets that a stage trains on and is measured on."""

    datasets: list[DatasetConfig] = field(default_factory=list, metadata={"help": "The data sets to train on."})
    eval_datasets: list[DatasetConfig] = field(
        default_factory=list, metadata={"help": "The data sets to be measured on."}
    )


def load(config: DatasetConfig) -> Dataset:
    """The rows of one data set, with the columns of the recipe.

    Raises `UserMistake` when there is no such file, folder, Hub data set, split or column."""
    from datasets.exceptions import DataFilesNotFoundError, DatasetGenerationError, DatasetNotFoundError

    try:
        dataset = _read(config)
    except (FileNotFoundError, DataFilesNotFoundError, DatasetNotFoundError, ConnectionError) as error:
        raise UserMistake(f"data set {config.place}: cannot be read.\n  {_first_line(error)}") from error
    except DatasetGenerationError as error:
        raise UserMistake(
            f"data set {config.place}: a file is broken.\n  {_first_line(error.__cause__ or error)}"
        ) from error
    except ValueError as error:  # the library's word for an unknown split, configuration or file format
        raise UserMistake(f"data set {config.place}: {_first_line(error)}") from error
    dataset = _with_columns(dataset, config)
    if config.rows is not None and config.rows < len(dataset):
        dataset = dataset.shuffle(seed=SAMPLE_SEED).select(range(config.rows))
    if len(dataset) == 0:
        raise UserMistake(f"data set {config.place}: has no rows.")
    return dataset


def texts(configs: list[DatasetConfig]) -> Dataset:
    """All rows of all data sets in one column `text`, in the order of the recipe."""
    from datasets import concatenate_datasets

    return concatenate_datasets(text_datasets(configs))


def text_datasets(configs: list[DatasetConfig]) -> list[Dataset]:
    """The column `text` of each data set, cut to its share of the mixture."""
    return mix([_text_column(load(config), config) for config in configs], configs)


def by_place(datasets: list[Dataset], configs: list[DatasetConfig]) -> dict[str, Dataset]:
    """Each data set by its place, cut to its share; a place that stands in the recipe twice is numbered."""
    places = [config.place for config in configs]
    names = [name if places.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(places, start=1)]
    return dict(zip(names, mix(datasets, configs), strict=True))


def mix(datasets: list[Dataset], configs: list[DatasetConfig]) -> list[Dataset]:
    """Each data set cut to its `fraction` of the largest mixture in which no row is repeated.

    Fractions .75 and .25 of 100 and 100 rows: the mixture has 133 rows, 100 and 33."""
    shares = [config.fraction for config in configs]
    if all(share is None for share in shares):
        return datasets
    if any(share is None or share <= 0 for share in shares):
        raise UserMistake("datasets: give a positive `fraction` to every data set of the mixture, or to none.")
    total = sum(share for share in shares if share)
    weights = [share / total for share in shares if share]
    size = min(len(rows) / weight for rows, weight in zip(datasets, weights, strict=True))
    return [
        rows.shuffle(seed=SAMPLE_SEED).select(range(min(len(rows), round(size * weight))))
        for rows, weight in zip(datasets, weights, strict=True)
    ]


def _read(config: DatasetConfig) -> Dataset:
    from datasets import load_dataset

    path = Path(config.path).expanduser()
    if path.is_file():
        if path.stat().st_size == 0:
            raise UserMistake(f"data set {config.place}: the file is empty.")
        return load_dataset(_format_of(path), data_files=str(path), split=_split_of_file(config))
    if not path.exists() and looks_local(config.path):
        raise FileNotFoundError(f"there is no file or folder {config.path}")
    return load_dataset(
        str(path) if path.exists() else config.path,
        name=config.name,
        data_dir=config.data_dir,
        data_files=config.data_files,
        split=config.split,
    )


def _split_of_file(config: DatasetConfig) -> str:
    """A single file has one split, which the library calls train: mine.jsonl [train], test.jsonl [test[:10]].

    Another name would be a slip: `split: test` of a file that was trained on would measure on the training rows."""
    name, bracket, rest = config.split.partition("[")
    if name not in {"train", Path(config.path).name.partition(".")[0]}:
        raise UserMistake(f"data set {config.place}: a single file has one split; write  split: train{bracket}{rest}")
    return "train" + bracket + rest


def _format_of(path: Path) -> str:
    suffix = path.with_suffix("").suffix if path.suffix in {".gz", ".zst", ".bz2", ".xz"} else path.suffix
    if suffix not in FORMATS:
        raise UserMistake(f"data set {path}: files of this kind are not read; write one of {', '.join(FORMATS)}.")
    return FORMATS[suffix]


def looks_local(path: str) -> bool:
    """Hub names are `name` or `owner/name`; anything else can only be a path, and runs/... is always one."""
    return path.startswith((".", "/", "~", "runs/")) or path.count("/") > 1 or Path(path).suffix in FORMATS


def _with_columns(dataset: Dataset, config: DatasetConfig) -> Dataset:
    wanted = list(config.columns or [])
    missing = [column for column in wanted if column not in dataset.column_names]
    if missing:
        raise UserMistake(
            f"{config.place} has the columns {', '.join(dataset.column_names)}; "
            f"the recipe's `columns` names {', '.join(missing)}."
        )
    if isinstance(config.columns, dict):
        replaced = [new for old, new in config.columns.items() if new in dataset.column_names and new not in wanted]
        return dataset.remove_columns(replaced).rename_columns(config.columns)
    return dataset.select_columns(wanted) if wanted else dataset


def _text_column(dataset: Dataset, config: DatasetConfig) -> Dataset:
    check_text_column(dataset.column_names, config.place)
    return dataset.select_columns(["text"])


def check_text_column(columns: list[str], place: str) -> None:
    """Raises `UserMistake` when there is no column `text`."""
    if "text" not in columns:
        raise UserMistake(
            f"{place} has the columns {', '.join(columns)}; this stage reads the column text.\n"
            f"  to mend it, rename a column in the recipe:   columns: {{{columns[0]}: text}}"
        )


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def fingerprint(configs: list[DatasetConfig]) -> list[dict[str, object]]:
    """What decides the rows read: the keys of each data set, and size and time of its local files."""
    return [{**asdict(config), "files": stamps(Path(config.path).expanduser())} for config in configs]


def stamps(path: Path) -> list[list[str | int]]:
    """Name, bytes and modification time (nanoseconds) of a file, or of all files below a folder."""
    if path.is_file():
        return [[path.name, path.stat().st_size, path.stat().st_mtime_ns]]
    found = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
    return sorted([str(file.relative_to(path)), file.stat().st_size, file.stat().st_mtime_ns] for file in found)
