"""What the recipes that train on normal clips alone share."""
