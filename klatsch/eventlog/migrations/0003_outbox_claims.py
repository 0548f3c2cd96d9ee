from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("eventlog", "0002_epoch_of_more_partitions"),
    ]

    operations = [
        migrations.AddField(
            model_name="outboxentry",
            name="claimed_until",
            field=models.DateTimeField(help_text="Until then one process alone relays it.", null=True),
        ),
    ]
