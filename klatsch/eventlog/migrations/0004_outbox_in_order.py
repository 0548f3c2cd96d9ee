from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("eventlog", "0003_outbox_claims"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="outboxentry",
            index=models.Index(condition=models.Q(("relayed_at", None)), fields=["id"], name="outbox_in_order"),
        ),
    ]
