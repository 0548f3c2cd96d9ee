from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("eventlog", "0004_outbox_in_order"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="epoch", name="topic_once"),
    ]
