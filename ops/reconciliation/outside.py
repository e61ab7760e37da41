"""Matches of statements against their lines and entries."""

from __future__ import annotations

from ops.reconciliation.checks import Check

# Of all matches and statements.
MATCH_CHECKS = [
    Check(
        "statement_match",
        "R2",
        "the lines and entries of a match are there, and differ by what it says",
        "match",
        """WITH outside AS (
                SELECT m.match_id, sum(CASE l.direction WHEN 'CREDIT' THEN l.amount ELSE -l.amount END) AS total,
                       count(*) FILTER (WHERE l.open OR l.id IS NULL) AS wrong
                  FROM statement_match_lines m LEFT JOIN statement_lines l ON l.id = m.line_id GROUP BY 1),
           inside AS (
                SELECT m.match_id, sum(CASE e.direction WHEN 'DEBIT' THEN e.amount ELSE -e.amount END) AS total,
                       count(*) FILTER (WHERE e.id IS NULL OR e.account_id <> s.account_id) AS wrong
                  FROM statement_match_entries m
                  JOIN statement_matches t ON t.id = m.match_id JOIN statement_sources s ON s.id = t.source_id
                  LEFT JOIN ledger_entries e ON e.id = m.entry_id GROUP BY 1)
           SELECT t.id, jsonb_build_object('difference', t.difference::text, 'wrong_lines', 0, 'wrong_entries', 0),
                  jsonb_build_object('difference', (coalesce(o.total, 0) - coalesce(i.total, 0))::text,
                                     'wrong_lines', coalesce(o.wrong, 0), 'wrong_entries', coalesce(i.wrong, 1))
             FROM statement_matches t LEFT JOIN outside o ON o.match_id = t.id LEFT JOIN inside i ON i.match_id = t.id
            WHERE coalesce(o.total, 0) - coalesce(i.total, 0) <> t.difference
               OR coalesce(o.wrong, 0) <> 0 OR coalesce(i.wrong, 1) <> 0""",
    ),
    Check(
        "statement_counts",
        "R2",
        "a statement has the lines that it counts, and as many of them matched",
        "statement",
        """SELECT s.id, jsonb_build_object('lines', coalesce(n.lines, 0), 'matched', coalesce(n.matched, 0)),
                  jsonb_build_object('lines', s.line_count, 'matched', s.matched)
             FROM statements s
             LEFT JOIN (SELECT l.statement_id, count(*) AS lines, count(m.line_id) AS matched
                          FROM statement_lines l LEFT JOIN statement_match_lines m ON m.line_id = l.id
                         GROUP BY 1) AS n ON n.statement_id = s.id
            WHERE (coalesce(n.lines, 0), coalesce(n.matched, 0)) <> (s.line_count, s.matched)""",
    ),
]
