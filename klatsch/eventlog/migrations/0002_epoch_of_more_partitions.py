from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("eventlog", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="epoch",
            name="topic_id",
            field=models.CharField(max_length=64),
        ),
        migrations.AddConstraint(
            model_name="epoch",
            constraint=models.UniqueConstraint(fields=("topic_id", "partitions"), name="topic_once"),
        ),
    ]
