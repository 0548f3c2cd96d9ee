"""Tables that are generated from the code; `manage.py tables` writes each into its marked section."""
