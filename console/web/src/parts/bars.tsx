/** A histogram as small as a table's cell. What it shows is in its label too. */
export function Bars({ counts, label }: { counts: readonly number[]; label: string }) {
  const most = Math.max(1, ...counts);
  // A few values are a few bars, not walls.
  const width = 100 / Math.max(8, counts.length);
  return (
    <svg className="bars" viewBox="0 0 100 48" preserveAspectRatio="none" role="img" aria-label={label}>
      {counts.map((count, index) => {
        const height = count === 0 ? 0 : Math.max(1, (count / most) * 46);
        return (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: bins are told apart by their place alone
            key={index}
            x={index * width + width * 0.08}
            y={48 - height}
            width={width * 0.84}
            height={height}
            fill="currentColor"
          />
        );
      })}
    </svg>
  );
}
