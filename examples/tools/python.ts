// Runs Python that reads an uploaded file and writes another one: node examples/tools/python.ts
import { run, upload } from './graph.ts';

const file = await upload('sales.csv', 'month,sales\nJan,120\nFeb,80\nMar,200\n');
const program = `
import csv, statistics
rows = list(csv.DictReader(open("sales.csv")))
values = [int(row["sales"]) for row in rows]
print("mean", statistics.mean(values))
with open("summary.txt", "w") as out:
    out.write(f"best month: {max(rows, key=lambda row: int(row['sales']))['month']}")
`;
// A real model writes the program itself; the demo model runs the one in the message.
await run(`python: ${program}`, [{ codeInterpreter: { timeoutSeconds: 30 } }], { fileIds: [file] });
