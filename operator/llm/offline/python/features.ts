/** features.py: what each column is, and how it becomes numbers. */
import type { ColumnPlan, Role } from "../columns.ts";
import { named } from "../columns.ts";
import type { ModelPlan } from "../model-plan.ts";
import { FEATURE_IMPORTS, importsFor } from "./imports.ts";
import { pythonList, pythonString, quotedComment } from "./literals.ts";

export function featuresModule(plan: ModelPlan): string {
  const has = (role: Role): boolean => named(plan.columns, role).length > 0;
  const sections = [
    lists(plan),
    READING,
    cleaning(has),
    ...(has("Date") ? [DATE_PARTS] : []),
    ...(has("Code") ? [CODE_PARTS] : []),
    ...(has("Text") ? [TEXT_PARTS] : []),
    ...(plan.positions === undefined ? [] : [positionParts(plan.positions)]),
    ...(plan.crossed.length > 0 ? [ratioParts(plan.crossed)] : []),
    views(plan, has),
  ];
  const body = sections.join("\n\n\n");
  return `${OPENING}\n\n${importsFor(body, FEATURE_IMPORTS)}\n\n${body}\n`;
}

const OPENING = `"""Turns rows of the data set into features.

What each column is treated as stands in the lists below; they were chosen from the profile of the data.
"""`;

function lists(plan: ModelPlan): string {
  const entries = (columns: readonly ColumnPlan[]) =>
    columns.map(({ name, why }) => ({ value: name, comment: why }));
  const dropped = named(plan.columns, "Dropped");
  const numbers = named(plan.columns, "Number");
  const targetType =
    plan.task === "Regression"
      ? "continuous"
      : plan.task === "BinaryClassification"
        ? "binary"
        : "multiclass";
  return [
    `TARGET = ${pythonString(plan.target)}`,
    `TARGET_TYPE = ${pythonString(targetType)}`,
    `SEED = ${plan.seed}`,
    "",
    pythonList("NUMBERS", entries(numbers)),
    "# Long right tails: linear models see their logarithm.",
    pythonList(
      "SKEWED",
      plan.skewed.map((value) => ({ value })),
    ),
    "# Whole numbers with few values: linear models see them as categories as well.",
    pythonList(
      "FEW_VALUES",
      plan.fewValues.map((value) => ({ value })),
    ),
    "# A few texts each: one column of zeros and ones for each value.",
    pythonList("CATEGORIES", entries(named(plan.columns, "Category"))),
    "# Many texts each: the mean of the target for each text, estimated on other rows, and the text's parts.",
    pythonList("CODES", entries(named(plan.columns, "Code"))),
    "# Dates: their parts, and the days between them.",
    pythonList("DATES", entries(named(plan.columns, "Date"))),
    "# Free text: weighted words (TF-IDF).",
    pythonList("TEXTS", entries(named(plan.columns, "Text"))),
    ...dropped.map(({ name, why }) => `# Left out: ${quotedComment(name)} (${why}).`),
  ].join("\n");
}

const READING = `def read_rows(path: str = "data/train.csv") -> tuple[pd.DataFrame, np.ndarray]:
    """The rows and their target; rows without a target teach nothing and are left out."""
    rows = pd.read_csv(path, low_memory=False)
    # As text first: a class may be called "NA", "None" or "001".
    target = pd.read_csv(path, usecols=[TARGET], dtype=str, keep_default_na=False)[TARGET]
    known = target.str.strip() != ""
    rows = rows.loc[known].drop(columns=[TARGET]).reset_index(drop=True)
    target = target[known].reset_index(drop=True)
    numbers = pd.to_numeric(target, errors="coerce")
    if TARGET_TYPE == "continuous":
        kept = np.isfinite(numbers.to_numpy("float64"))
        return rows.loc[kept].reset_index(drop=True), numbers.to_numpy("float64")[kept]
    if numbers.notna().all() and (numbers.abs() < 2**53).all():
        whole = (numbers % 1 == 0).all()
        return rows, numbers.to_numpy("int64" if whole else "float64")
    return rows, target.to_numpy(dtype=object)`;

function cleaning(has: (role: Role) => boolean): string {
  const lines = [
    `def as_number(cells: pd.Series) -> pd.Series:
    """Numbers; whatever is none becomes missing."""
    numbers = pd.to_numeric(cells.astype(object), errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers), np.nan)


def as_text(cells: pd.Series) -> pd.Series:
    """Text; 3 and 3.0 are one value, and a missing cell is the empty text."""

    def text(cell: object) -> str:
        if cell is None or cell is pd.NA or cell is pd.NaT or cell != cell:
            return ""
        if isinstance(cell, (float, np.floating)):
            return f"{cell:.15g}"
        written = str(cell).strip()
        return written[:-2] if written.endswith(".0") and written[:-2].lstrip("-").isdigit() else written

    codes, values = pd.factorize(cells.astype(object))  # each distinct cell once; a missing one has the code -1
    texts = np.array([*map(text, values), ""], dtype=object)
    return pd.Series(texts[codes], index=cells.index, dtype=object)`,
    ...(has("Date")
      ? [
          `def as_date(cells: pd.Series) -> pd.Series:
    """Moments in UTC; whatever is no date becomes missing."""
    dates = pd.to_datetime(as_text(cells), errors="coerce", utc=True, format="ISO8601")
    return dates.astype("datetime64[s, UTC]")`,
        ]
      : []),
    String.raw`class Cleaner(TransformerMixin, BaseEstimator):
    """One known type for each column, whatever pandas made of the cells; an absent column counts as missing."""

    def fit(self, rows: pd.DataFrame, target: object = None) -> Cleaner:
        self.columns_ = list(rows.columns)
        return self

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        missing = pd.Series(np.nan, index=rows.index, dtype="float64")
        clean = {name: as_number(rows.get(name, missing)) for name in NUMBERS}
        clean |= {name: as_text(rows.get(name, missing)) for name in [*CATEGORIES, *CODES, *TEXTS]}${
          has("Date") ? "\n        clean |= {name: as_date(rows.get(name, missing)) for name in DATES}" : ""
        }
        if not clean:
            return pd.DataFrame({"nothing": np.zeros(len(rows))}, index=rows.index)
        return pd.DataFrame(clean, index=rows.index)`,
  ];
  return lines.join("\n\n\n");
}

const DATE_PARTS = `class DateParts(TransformerMixin, BaseEstimator):
    """Year, month, day, weekday, hour, days since 2000, and the days between each two dates."""

    def fit(self, frame: pd.DataFrame, target: object = None) -> DateParts:
        self.n_features_in_ = frame.shape[1]
        return self

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        epoch = pd.Timestamp("2000-01-01", tz="UTC")
        parts, ages = [], []
        for name in DATES:
            date = frame[name].dt
            age = (frame[name] - epoch) / pd.Timedelta(days=1)
            ages.append(age)
            parts += [age, date.year, date.month, date.day, date.day_of_week, date.day_of_year, date.hour]
        between = [ages[j] - ages[i] for i in range(len(ages)) for j in range(i)][:10]
        return np.column_stack([np.asarray(part, dtype="float64") for part in parts + between])`;

const CODE_PARTS = String.raw`def with_prefixes(frame: pd.DataFrame) -> np.ndarray:
    """Each code, and the letters it starts with: "C85" and "C123" share a "C"."""
    prefixes = frame.map(lambda text: re.match(r"[^\d\s]*", text).group().upper()[:8])
    return np.hstack([frame.to_numpy(dtype=object), prefixes.to_numpy(dtype=object)])


class CodeShape(TransformerMixin, BaseEstimator):
    """How often a code occurs in the training rows, the last number in it, its length and its count of words."""

    def fit(self, frame: pd.DataFrame, target: object = None) -> CodeShape:
        self.counts_ = {name: frame[name].value_counts().to_dict() for name in frame.columns}
        return self

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        parts = []
        for name in frame.columns:
            texts = frame[name]
            numbers = [re.findall(r"\d{1,15}", text) for text in texts]
            parts += [
                np.log1p([self.counts_[name].get(text, 0) for text in texts]),
                [float(found[-1]) if found else np.nan for found in numbers],
                [len(text) for text in texts],
                [len(text.split()) for text in texts],
            ]
        return np.column_stack([np.asarray(part, dtype="float64") for part in parts])`;

const TEXT_PARTS = String.raw`class TextParts(TransformerMixin, BaseEstimator):
    """Words and pairs of words by TF-IDF; dense: the most telling words, and a few directions of all of them."""

    def __init__(self, dense: bool = False, words: int = 40, directions: int = 16) -> None:
        self.dense = dense
        self.words = words
        self.directions = directions

    def fit(self, frame: pd.DataFrame, target: np.ndarray | None = None) -> TextParts:
        self.parts_ = {}
        for name in frame.columns:
            vectorizer = TfidfVectorizer(
                ngram_range=(1, 2),
                min_df=3 if len(frame) > 300 else 1,
                max_features=20_000,
                sublinear_tf=True,
                token_pattern=r"(?u)\b\w+\b",
                dtype=np.float32,
            )
            try:
                weights = vectorizer.fit_transform(frame[name])
            except ValueError:  # no word occurs often enough
                continue
            if not self.dense:
                self.parts_[name] = (vectorizer, None, None)
                continue
            select = SelectKBest(SCORE_WORDS, k=min(self.words, weights.shape[1])).fit(weights, target)
            directions = min(self.directions, min(weights.shape) - 1)
            reduce = TruncatedSVD(directions, random_state=SEED).fit(weights) if directions > 1 else None
            self.parts_[name] = (vectorizer, select, reduce)
        return self

    def transform(self, frame: pd.DataFrame) -> np.ndarray | sp.csr_matrix:
        blocks = []
        for name in frame.columns:
            lengths = np.log1p([[len(text), len(text.split()), sum(map(str.isdigit, text))] for text in frame[name]])
            blocks.append(sp.csr_matrix(np.asarray(lengths, dtype=np.float32).reshape(len(frame), 3)))
            if name not in self.parts_:
                continue
            vectorizer, select, reduce = self.parts_[name]
            weights = vectorizer.transform(frame[name])
            if not self.dense:
                blocks.append(weights)
                continue
            blocks.append(select.transform(weights))
            if reduce is not None:
                blocks.append(sp.csr_matrix(reduce.transform(weights)))
        stacked = sp.hstack(blocks, format="csr")
        return stacked.toarray() if self.dense else stacked`;

function positionParts(positions: { readonly latitude: string; readonly longitude: string }): string {
  return `LATITUDE = ${pythonString(positions.latitude)}
LONGITUDE = ${pythonString(positions.longitude)}


def turned_positions(frame: pd.DataFrame) -> np.ndarray:
    """The position along axes turned by 15 to 75 degrees: a tree splits along axes only, and coasts are not straight."""
    angles = np.deg2rad([15, 30, 45, 60, 75])
    north = frame[LATITUDE].to_numpy()[:, None]
    east = frame[LONGITUDE].to_numpy()[:, None]
    return np.hstack([np.cos(angles) * east + np.sin(angles) * north, np.cos(angles) * north - np.sin(angles) * east])`;
}

function ratioParts(crossed: readonly string[]): string {
  return `${pythonList(
    "RATIOS",
    crossed.map((value) => ({ value })),
  )}


def ratios(frame: pd.DataFrame) -> np.ndarray:
    """Each of these numbers divided by each later one: a tree finds "rooms for each household" only step by step."""
    columns = [frame[name].to_numpy() for name in RATIOS]
    with np.errstate(divide="ignore", invalid="ignore"):
        divided = [columns[i] / columns[j] for i in range(len(columns)) for j in range(i + 1, len(columns))]
    quotients = np.column_stack(divided)
    return np.where(np.isfinite(quotients), quotients, np.nan)`;
}

function views(plan: ModelPlan, has: (role: Role) => boolean): string {
  const scoreWords = plan.task === "Regression" ? "SCORE_WORDS = f_regression" : "SCORE_WORDS = f_classif";
  return [
    ...(has("Text") ? [scoreWords, "", ""] : []),
    ...(has("Code") ? [CODES_AS_NUMBERS(plan.manyClasses), "", ""] : []),
    "def shared_parts(dense: bool) -> list[tuple]:",
    '    """What is the same for every model."""',
    "    return [",
    ...(has("Date") ? ['        ("dates", DateParts(), DATES),'] : []),
    ...(has("Code") ? ['        ("codes", codes_as_numbers(), CODES),'] : []),
    ...(has("Text") ? ['        ("texts", TextParts(dense=dense), TEXTS),'] : []),
    ...(plan.positions === undefined
      ? []
      : ['        ("positions", FunctionTransformer(turned_positions), [LATITUDE, LONGITUDE]),']),
    "    ]",
    "",
    "",
    viewFunctions(plan),
  ].join("\n");
}

const CODES_AS_NUMBERS = (manyClasses: boolean): string => {
  const encoder = manyClasses
    ? 'OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)'
    : "TargetEncoder(target_type=TARGET_TYPE, random_state=SEED)";
  return `def codes_as_numbers() -> FeatureUnion:
    means = make_pipeline(FunctionTransformer(with_prefixes), ${encoder})
    return FeatureUnion([("means", means), ("shape", CodeShape())])`;
};

function viewFunctions(plan: ModelPlan): string {
  const nothing = plan.columns.every((column) => column.role === "Dropped");
  const numbers = nothing ? '["nothing"]' : "NUMBERS";
  const wide = plan.oneHotLimit;
  const crossed = plan.crossed.length > 0;
  return String.raw`def one_hot(sparse: bool) -> OneHotEncoder:
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=${wide}, sparse_output=sparse, dtype=np.float32
    )


def tree_view(${crossed ? "crossed: bool = False" : ""}) -> ColumnTransformer:
    """For forests and boosting: numbers as they are, missing ones included; categories as zeros and ones."""
    return ColumnTransformer(
        [
            ("numbers", "passthrough", ${numbers}),
            ("categories", one_hot(sparse=False), CATEGORIES),
            *shared_parts(dense=True),${crossed ? '\n            *([("ratios", FunctionTransformer(ratios), RATIOS)] if crossed else []),' : ""}
        ],
        sparse_threshold=0.0,
    )


def ordered_view() -> ColumnTransformer:
    """For boosting that knows categories: they come first, as numbers; new ones count as missing."""
    ordered = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=250, min_frequency=2
    )
    return ColumnTransformer(
        [
            ("categories", ordered, CATEGORIES),
            ("numbers", "passthrough", ${numbers}),
            *shared_parts(dense=True),
        ],
        sparse_threshold=0.0,
    )


def as_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as the names of categories."""
    return frame.apply(as_text)


def log_skewed(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    for name in SKEWED:
        frame[name] = np.log1p(frame[name].clip(lower=0))
    return frame


def limit(values: np.ndarray) -> np.ndarray:
    """No single cell may outweigh all others."""
    if hasattr(values, "data") and hasattr(values, "tocsr"):
        return values
    return np.clip(values, -6, 6)


def linear_view(bins: bool = False) -> ColumnTransformer:
    """For linear models: gaps filled and marked, numbers on one scale, and, with bins, cut into ranges as well."""

    def fill() -> SimpleImputer:
        return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)

    scaled = make_pipeline(FunctionTransformer(log_skewed), fill(), StandardScaler(), FunctionTransformer(limit))
    parts = [
        ("numbers", scaled if NUMBERS else "passthrough", ${numbers}),
        ("few", make_pipeline(FunctionTransformer(as_texts), one_hot(sparse=True)), FEW_VALUES),
        ("categories", one_hot(sparse=True), CATEGORIES),
    ]
    if bins and NUMBERS:
        ranges = KBinsDiscretizer(
            n_bins=10, encode="onehot", strategy="quantile", quantile_method="averaged_inverted_cdf"
        )
        filled = SimpleImputer(strategy="median", keep_empty_features=True)
        parts.append(("ranges", make_pipeline(filled, ranges), NUMBERS))
    for name, part, columns in shared_parts(dense=False):
        if name == "texts":
            parts.append((name, part, columns))
        else:
            scaled_part = make_pipeline(part, fill(), StandardScaler(), FunctionTransformer(limit))
            parts.append((name, scaled_part, columns))
    return ColumnTransformer(parts)


VIEWS = {
    "tree": tree_view,${crossed ? '\n    "tree_crossed": lambda: tree_view(crossed=True),' : ""}
    "ordered": ordered_view,
    "linear": linear_view,
    "linear_bins": lambda: linear_view(bins=True),
}`;
}
