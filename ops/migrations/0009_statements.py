"""What banks and providers say moved, matched with the ledger; and who looks after what differs."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

from ops.migrations._granting import give, take

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
DROP TRIGGER statements_kept ON statements; DROP TRIGGER statement_lines_kept ON statement_lines;
DROP TRIGGER statement_matches_kept ON statement_matches;
DROP TRIGGER statement_match_lines_kept ON statement_match_lines;
DROP TRIGGER statement_match_entries_kept ON statement_match_entries;
DROP TRIGGER statement_exceptions_kept ON statement_exceptions;
DROP FUNCTION statement_exceptions_check_move() CASCADE; DROP FUNCTION statement_lines_check_fixed() CASCADE;
DROP INDEX reconciliation_findings_by; DROP INDEX reconciliation_findings_own;
"""
ROLES = ("viewer", "support", "operator", "approver", "finance", "risk", "auditor", "administrator")
SEE = [
    f"ops.view_{model}"
    for model in ("statement", "statementexception", "statementline", "statementmatch", "statementsource")
]
ACTS = {
    "ops.handle_finding": ("operator", "approver", "finance", "risk"),
    "ops.run_reconciliation": ("operator", "approver", "finance", "risk", "administrator"),
    "ops.import_statement": ("operator", "finance"),
}
TITLES = {
    "ops.handle_finding": ("finding", "Can look after findings and exceptions, explain and resolve them"),
    "ops.run_reconciliation": ("reconciliationrun", "Can have the ledger reconciled"),
    "ops.import_statement": ("statement", "Can import statements and keep their sources"),
}
RIGHTS = {role: SEE + [act for act, roles in ACTS.items() if role in roles] for role in ROLES}


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0003_backdated'),
        ('ops', '0008_summaries'),
    ]

    operations = [
        migrations.CreateModel(
            name='StatementSource',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=40, unique=True)),
                ('asset', models.ForeignKey(db_column='asset', db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to='ledger.asset')),
                ('account', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ledger.account')),
                ('format', models.CharField(choices=[('csv', 'CSV'), ('camt.053', 'camt.053')], max_length=8)),
                ('mapping', models.JSONField(blank=True, default=dict)),
                ('identifier', models.CharField(blank=True, help_text="The account's IBAN or number: a camt.053 file of another is refused.", max_length=34)),
                ('tolerance', models.BigIntegerField(default=0, help_text='Minor units by which a pair may differ.')),
                ('window_days', models.SmallIntegerField(default=3, help_text='Days by which a pair may differ.')),
                ('patience_days', models.SmallIntegerField(default=2, help_text='Days before what has no counterpart is told.')),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'statement_sources',
                'constraints': [models.CheckConstraint(condition=models.Q(('format__in', ['csv', 'camt.053'])), name='statement_sources_format'), models.CheckConstraint(condition=models.Q(('patience_days__range', (0, 60)), ('tolerance__gte', 0), ('window_days__range', (0, 31))), name='statement_sources_bounds')],
            },
        ),
        migrations.CreateModel(
            name='Statement',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='statements', to='ops.statementsource')),
                ('number', models.CharField(help_text="The bank's, or the file's name.", max_length=80)),
                ('file_name', models.CharField(max_length=200)),
                ('sha256', models.CharField(help_text='Of the file.', max_length=64)),
                ('part', models.SmallIntegerField(default=0, help_text="Which of the file's statements it is.")),
                ('begins_on', models.DateField()),
                ('ends_on', models.DateField()),
                ('opening', models.BigIntegerField(null=True)),
                ('closing', models.BigIntegerField(null=True)),
                ('credits', models.DecimalField(decimal_places=0, max_digits=24)),
                ('debits', models.DecimalField(decimal_places=0, max_digits=24)),
                ('line_count', models.IntegerField()),
                ('matched', models.IntegerField(default=0)),
                ('imported_by', models.CharField(max_length=150)),
                ('imported_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'statements',
                'permissions': [('import_statement', 'Can import statements and keep their sources')],
                'indexes': [models.Index(fields=['source', 'ends_on'], name='statements_ends')],
                'constraints': [models.UniqueConstraint(fields=('source', 'number'), name='statements_number'), models.UniqueConstraint(fields=('sha256', 'part'), name='statements_file'), models.CheckConstraint(condition=models.Q(('begins_on__lte', models.F('ends_on'))), name='statements_days'), models.CheckConstraint(condition=models.Q(('matched__gte', 0), ('matched__lte', models.F('line_count'))), name='statements_matched')],
            },
        ),
        migrations.CreateModel(
            name='StatementLine',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('statement', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='ops.statement')),
                ('source', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ops.statementsource')),
                ('number', models.IntegerField(help_text='Its place in the statement.')),
                ('booked_on', models.DateField()),
                ('direction', models.CharField(choices=[('CREDIT', 'In'), ('DEBIT', 'Out')], max_length=6)),
                ('amount', models.BigIntegerField()),
                ('reference', models.CharField(blank=True, max_length=140)),
                ('bank_reference', models.CharField(blank=True, max_length=140)),
                ('counterparty', models.CharField(blank=True, max_length=140)),
                ('text', models.CharField(blank=True, max_length=500)),
                ('is_reversal', models.BooleanField(default=False)),
                ('open', models.BooleanField(default=True, help_text='Neither matched nor explained.')),
            ],
            options={
                'db_table': 'statement_lines',
                'indexes': [models.Index(condition=models.Q(('open', True)), fields=['source', 'booked_on'], name='statement_lines_open'), models.Index(condition=models.Q(('reference', ''), _negated=True), fields=['reference'], name='statement_lines_reference')],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='statement_lines_amount'), models.CheckConstraint(condition=models.Q(('direction__in', ['CREDIT', 'DEBIT'])), name='statement_lines_direction'), models.UniqueConstraint(fields=('statement', 'number'), name='statement_lines_number'), models.UniqueConstraint(condition=models.Q(('bank_reference', ''), _negated=True), fields=('source', 'bank_reference'), name='statement_lines_bank')],
            },
        ),
        migrations.CreateModel(
            name='StatementMatch',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='matches', to='ops.statementsource')),
                ('rule', models.CharField(choices=[('reference', 'Reference and amount'), ('reference_near', 'Reference, amount within the tolerance'), ('amount', 'Amount and day'), ('amount_near', 'Amount within the tolerance'), ('several_entries', 'One line, several entries'), ('several_lines', 'Several lines, one entry'), ('correction', 'Corrected by an entry')], max_length=16)),
                ('confidence', models.SmallIntegerField()),
                ('reason', models.CharField(max_length=200)),
                ('difference', models.BigIntegerField()),
                ('made_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'statement_matches',
                'verbose_name_plural': 'statement matches',
                'constraints': [models.CheckConstraint(condition=models.Q(('confidence__range', (1, 100))), name='statement_matches_confidence')],
            },
        ),
        migrations.CreateModel(
            name='MatchedLine',
            fields=[
                ('line', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='matched', serialize=False, to='ops.statementline')),
                ('match', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='ops.statementmatch')),
            ],
            options={
                'db_table': 'statement_match_lines',
            },
        ),
        migrations.CreateModel(
            name='MatchedEntry',
            fields=[
                ('entry_id', models.UUIDField(primary_key=True, serialize=False)),
                ('match', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='ops.statementmatch')),
            ],
            options={
                'db_table': 'statement_match_entries',
            },
        ),
        migrations.CreateModel(
            name='StatementException',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('source', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='exceptions', to='ops.statementsource')),
                ('reason', models.CharField(choices=[('missing_in_ledger', 'Missing in the ledger'), ('missing_outside', 'Missing outside'), ('amount_differs', 'Amounts differ'), ('duplicate_outside', 'Twice outside')], max_length=17)),
                ('state', models.CharField(choices=[('OPEN', 'Open'), ('CORRECTING', 'Correction proposed'), ('MATCHED', 'Matched'), ('EXPLAINED', 'Explained'), ('CORRECTED', 'Corrected')], default='OPEN', max_length=10)),
                ('line', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='exception', to='ops.statementline')),
                ('entry_id', models.UUIDField(help_text="The ledger's entry.", null=True)),
                ('booked_on', models.DateField(help_text='Of the line, else of the entry.')),
                ('direction', models.CharField(choices=[('CREDIT', 'In'), ('DEBIT', 'Out')], max_length=6)),
                ('amount', models.BigIntegerField()),
                ('expected', models.BigIntegerField(null=True)),
                ('owner', models.CharField(blank=True, help_text='Who looks after it.', max_length=150)),
                ('note', models.CharField(blank=True, max_length=1000)),
                ('approval', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ops.approval')),
                ('opened_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'statement_exceptions',
                'indexes': [models.Index(fields=['state', 'id'], name='statement_exceptions_state_id'), models.Index(fields=['source', 'state'], name='statement_exceptions_source'), models.Index(fields=['entry_id'], name='statement_exceptions_of')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('line__isnull', True)), fields=('entry_id',), name='statement_exceptions_entry'), models.CheckConstraint(condition=models.Q(('line__isnull', False), ('entry_id__isnull', False), _connector='OR'), name='statement_exceptions_about'), models.CheckConstraint(condition=models.Q(models.Q(('line__isnull', True), ('reason', 'missing_outside')), models.Q(('line__isnull', False), ('reason__in', ['missing_in_ledger', 'amount_differs', 'duplicate_outside'])), _connector='OR'), name='statement_exceptions_reason'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', True), ('state__in', ['OPEN', 'CORRECTING'])), models.Q(('closed_at__isnull', False), ('state__in', ['MATCHED', 'EXPLAINED', 'CORRECTED'])), _connector='OR'), name='statement_exceptions_state'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['CORRECTING', 'CORRECTED']), _negated=True), ('approval__isnull', False), _connector='OR'), name='statement_exceptions_approval')],
            },
        ),
        migrations.CreateModel(
            name='StatementUpload',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='ops.statementsource')),
                ('user_id', models.UUIDField()),
                ('file_name', models.CharField(max_length=200)),
                ('content', models.BinaryField()),
                ('uploaded_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'statement_uploads',
            },
        ),
        migrations.AlterModelOptions(
            name='finding',
            options={'permissions': [('handle_finding', 'Can look after findings and exceptions, explain and resolve them')]},
        ),
        migrations.AlterModelOptions(
            name='reconciliationrun',
            options={'permissions': [('run_reconciliation', 'Can have the ledger reconciled')], 'verbose_name': 'reconciliation'},
        ),
        migrations.AddField(
            model_name='finding',
            name='frozen_at',
            field=models.DateTimeField(help_text='When the wallet that it is about was suspended for it.', null=True),
        ),
        migrations.RunSQL(FORWARD, REVERSE, state_operations=[
            migrations.AddIndex('finding', models.Index(fields=['state', 'id'], name='reconciliation_findings_by')),
            migrations.AddIndex('finding', models.Index(fields=['owner', 'id'], name='reconciliation_findings_own')),
        ]),
        migrations.RunPython(give(RIGHTS, titles=TITLES), take(RIGHTS)),
    ]
