//! Columns.

/// Rows below each other, indented by two; every column as wide as its widest cell, the last as it comes.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(|column| width(rows, column)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("  {cell:<width$}"));
        text.push_str(cells.collect::<String>().trim_end());
        text.push('\n');
    }
    text
}

/// The same, with the first columns of numbers to the right.
pub(super) fn right_aligned(rows: &[Vec<String>], numbers: usize) -> String {
    let padded: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().enumerate();
            cells
                .map(|(column, cell)| {
                    let width = if column < numbers { width(rows, column) } else { 0 };
                    format!("{cell:>width$}")
                })
                .collect()
        })
        .collect();
    table(&padded)
}

fn width(rows: &[Vec<String>], column: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(column));
    cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
}
