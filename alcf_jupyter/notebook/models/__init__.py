"""The models as somebody looks at them: followed, told in words, chosen and started."""
